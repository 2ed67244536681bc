"""The versions of the model, which of them was the champion when, and where their bundles are."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.bundle.bundle import INDEX
from darkroom.registry.tags import NAME, Tag, read_tags, version_tag
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash, whole_folder
from darkroom.runtime.paths import BUNDLE, CHAMPION

LINK = CHAMPION
SERVING = LINK.parent
FETCHED = Path(".darkroom/registry/bundles")


@dataclass(frozen=True)
class Version:
    """A version of the model: a candidate that the gate let pass.

    Attributes:
        number: `v1.4.0`.
        commit: 40 hex digits; its `dvc.lock` names data, settings and bundle.
        created: when it was promoted, in UTC.
        bundle: SHA-256 of its `bundle.json`; empty where a person made the tag.
        decision: of the gate; empty where there is none.
        champion: whether it is the champion now.
    """

    number: str
    commit: str
    created: str
    bundle: str
    decision: dict[str, Any]
    champion: bool

    @property
    def tag(self) -> str:
        """`classifier@v1.4.0`."""
        return version_tag(self.number)


def versions(root: Path) -> list[Version]:
    """All versions, the oldest first.

    Args:
        root: of the repository.

    Raises:
        DarkroomError: where there is no git repository.
    """
    registered, assignments = read_tags(root)
    stack = champions(registered, assignments)
    return [
        Version(
            tag.name.removeprefix(f"{NAME}@"),
            tag.commit,
            tag.time,
            str(tag.content.get("bundle", "")),
            dict(tag.content.get("decision", {})),
            bool(stack) and tag == stack[-1],
        )
        for tag in registered
    ]


def champion(root: Path) -> Version | None:
    """The champion; None where nothing was promoted yet.

    Raises:
        DarkroomError: as `versions`.
    """
    return next((version for version in versions(root) if version.champion), None)


def champions(registered: list[Tag], assignments: list[Tag]) -> list[Tag]:
    """The champion, last, below it the one that a rollback goes back to, and so on.

    A version that was rolled back from is not among them: whoever rolls back later does not meet it again.

    Args:
        registered, assignments: tags, from the first to the last.
    """
    stack: list[Tag] = []
    for assignment in assignments:
        # Of several versions at one commit GTO takes the greatest.
        if at_commit := [tag for tag in registered if tag.commit == assignment.commit]:
            version = at_commit[-1]
            stack = stack[: stack.index(version)] if version in stack else stack
            stack.append(version)
    return stack


def find(root: Path, number: str) -> Version:
    """A version by its number.

    Raises:
        DarkroomError: when there is no such version, with those that there are.
    """
    version_tag(number)
    found = versions(root)
    for version in found:
        if version.number == number:
            return version
    known = ", ".join(version.number for version in found) or "none yet"
    raise DarkroomError(f"there is no version {number}: there are {known}; `git fetch --tags` gets those of a remote")


def bundle_of(root: Path, version: Version) -> Path:
    """The folder with the bundle of a version: the published one, or one that is fetched from DVC's cache or its remote.

    Args:
        root: of the repository.
        version: of it.

    Raises:
        DarkroomError: when it is in neither, or has other bytes than the version was promoted with.
    """
    for folder in (root / SERVING / version.number, root / FETCHED / version.number):
        if folder.is_dir():
            require_bytes(folder, version)
            return folder
    # Here, since it takes a second, which a rollback to a published version does not need.
    from darkroom.runtime.revisions import open_revision

    with contextlib.chdir(root), open_revision(version.commit) as revision:
        fetched = revision.get(BUNDLE.as_posix())
        with whole_folder(FETCHED / version.number) as folder:
            for file in fetched.iterdir():
                file.rename(folder / file.name)
    require_bytes(root / FETCHED / version.number, version)
    return root / FETCHED / version.number


def require_bytes(folder: Path, version: Version) -> None:
    """Stop unless a folder holds the bundle that a version was promoted with; `load_bundle` checks the other files by it.

    Raises:
        DarkroomError: with both hashes.
    """
    index = folder / INDEX
    if not index.is_file():
        raise DarkroomError(
            f"{folder} is not a bundle, for it holds no {INDEX}: remove the folder, and it is fetched again"
        )
    if version.bundle and (found := file_hash(index)) != version.bundle:
        raise DarkroomError(
            f"{folder} is not {version.number}: the SHA-256 of its {INDEX} is {found}, and the tag {version.tag} says "
            f"{version.bundle}: remove the folder, and it is fetched again"
        )
