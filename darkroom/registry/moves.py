"""What moves the champion: a promotion, and a rollback. Tags and link move together, whatever happens on the way."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darkroom.bundle.bundle import CLASSES, INDEX
from darkroom.model.classes import load_classes
from darkroom.registry.answers import sample_images
from darkroom.registry.published import flush, is_published, linked, point, publish, verify
from darkroom.registry.tags import NAME, assignment_tag, create_tags, delete_tags, read_tags, version_tag, write_tags
from darkroom.registry.versions import SERVING, Version, bundle_of, champion, champions, find, require_bytes
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash, whole_file
from darkroom.runtime.git import git
from darkroom.runtime.lock import alone

FOLDER = Path(".darkroom/registry")
# The version to which tags and link are being moved: there for some milliseconds, and after a kill.
UNFINISHED = FOLDER / "unfinished"

Messages = Mapping[str, tuple[str, Mapping[str, Any]]]


def promote(root: Path, commit: str, bundle: Path, decision: Mapping[str, Any], images: Sequence[bytes]) -> Version:
    """Make a candidate the next version and the champion: publish its bundle, tag its commit, switch the link.

    The number grows by 0.1.0; by 1.0.0 where the classes are other ones than the champion's, since clients see those.

    Args:
        root: of the repository.
        commit: of the candidate, with the `dvc.lock` that names its bundle.
        bundle: its folder.
        decision: of the gate; it goes into the message of the tag.
        images: files of test images, which are stored with the answers.

    Returns:
        The new champion.

    Raises:
        DarkroomError: when the bundle is damaged, its copy gives other answers, or git refuses; tags and link are as before
            then.
    """
    with _alone(root, "a promotion"):
        commit = git(root, "rev-parse", "--verify", f"{commit}^{{commit}}")
        registered, assignments = read_tags(root)
        if there := [tag.name for tag in registered if tag.commit == commit]:
            raise DarkroomError(
                f"the commit {commit[:12]} is {there[-1]} already: commit the candidate's own dvc.lock first"
            )
        number = _next_number(root, bundle)
        publish(root, number, bundle, images)
        sentence = str(decision.get("sentence") or "promoted")
        content = {"bundle": file_hash(bundle / INDEX), "decision": decision}
        _move(
            root,
            number,
            commit,
            {
                version_tag(number): (f"{NAME} {number}: {sentence}", content),
                assignment_tag(assignments): (f"{number} is the champion: {sentence}", {"version": number}),
            },
        )
        return find(root, number)


def rollback(root: Path, number: str | None = None, reason: str = "make rollback") -> Version:
    """Make an earlier version the champion again; forward to a later one works alike.

    Args:
        root: of the repository.
        number: of the version; None for the champion before this one.
        reason: for the message of the tag.

    Returns:
        The champion now.

    Raises:
        DarkroomError: when there is no such version, it is the champion already, a byte of it or an answer is another one than
            before; tags and link are as before then.
    """
    with _alone(root, "a rollback"):
        registered, assignments = read_tags(root)
        stack = [tag.name.removeprefix(f"{NAME}@") for tag in champions(registered, assignments)]
        if number is None:
            if len(stack) < 2:
                raise DarkroomError(
                    f"there is no champion before {stack[-1] if stack else 'the first one'}: `make models` lists the versions"
                )
            number = stack[-2]
        version = find(root, number)
        if version.champion and linked(root) == number:
            raise DarkroomError(f"{number} is the champion already: `make models` lists the versions")
        if is_published(root, number):
            require_bytes(root / SERVING / number, version)
            verify(root, number)
        else:
            publish(root, number, bundle_of(root, version), _images_of(root, version))
        before = stack[-1] if stack else "none"
        title, content = f"{number} is the champion, after {before}: {reason}", {"version": number, "before": before}
        # Where the link alone is missing, as in another clone, nothing new is decided.
        messages = {} if version.champion else {assignment_tag(assignments): (title, content)}
        _move(root, number, version.commit, messages)
        return find(root, number)


def _next_number(root: Path, bundle: Path) -> str:
    registered, _ = read_tags(root)
    if not registered:
        return "v1.0.0"
    major, minor, _ = registered[-1].order
    before = champion(root)
    if before and _class_hash(bundle_of(root, before)) != _class_hash(bundle):
        return f"v{major + 1}.0.0"
    return f"v{major}.{minor + 1}.0"


def _class_hash(bundle: Path) -> str:
    return load_classes(bundle / CLASSES).hash


def _images_of(root: Path, version: Version) -> list[bytes]:
    from darkroom.runtime.revisions import open_revision

    with contextlib.chdir(root), open_revision(version.commit) as revision:
        return sample_images(revision)


def _move(root: Path, number: str, commit: str, messages: Messages) -> None:
    """Create tags and switch the link: both, or neither."""
    before = linked(root)
    with whole_file(root / UNFINISHED) as file:
        file.write_text(number, encoding="utf-8")
        flush(file)
    objects = write_tags(root, commit, messages)
    try:
        create_tags(root, objects)
        point(root, number)
    except BaseException:
        if linked(root) != before:
            point(root, before)
        delete_tags(root, objects)
        (root / UNFINISHED).unlink()
        raise
    (root / UNFINISHED).unlink()


@contextmanager
def _alone(root: Path, who: str) -> Iterator[None]:
    """Hold the registry's lock; a move that was killed between tags and link is finished first.

    The bundle was published and asked before, and the tags say what was decided: the link follows them.
    """
    with alone(root / FOLDER / "lock", "the champion is being moved", who, print):
        unfinished = root / UNFINISHED
        if unfinished.exists():
            number = unfinished.read_text(encoding="utf-8")
            found = champion(root)
            if found and found.number == number and linked(root) != number and is_published(root, number):
                point(root, number)
                print(f"a move to {number} was killed before the link was switched: it leads there now")
            unfinished.unlink()
        yield
