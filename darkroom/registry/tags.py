"""Versions and champions as annotated git tags, in the grammar of GTO (github.com/treeverse/gto): no database.

`classifier@v1.4.0` registers a version at a commit; `classifier#champion#7` is the seventh time that a version, the one of its
commit, became the champion. `gto show` and `dvc.api.artifacts_show` read the same tags; `dvc.yaml` has the artifact's path.
"""

import contextlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.git import git, identity

NAME, STAGE = "classifier", "champion"
_VERSION = re.compile(rf"{NAME}@v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_ASSIGNMENT = re.compile(rf"{NAME}#{STAGE}#(\d+)")
_FIELDS = "%1e%(refname:strip=2)%1f%(*objectname)%1f%(taggerdate:unix)%1f%(contents)"


@dataclass(frozen=True)
class Tag:
    """An annotated tag.

    Attributes:
        name: with which it begins below `refs/tags/`.
        commit: 40 hex digits.
        seconds: when it was made, since 1970.
        title: the first line of its message.
        content: the JSON that follows; empty where a person made the tag with other words.
    """

    name: str
    commit: str
    seconds: int
    title: str
    content: dict[str, Any]

    @property
    def time(self) -> str:
        """When it was made, in UTC: `2026-11-28T03:00:00Z`."""
        return datetime.fromtimestamp(self.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def order(self) -> tuple[int, ...]:
        """Of a version its three numbers, of an assignment its counter: larger ones came later."""
        found = _VERSION.fullmatch(self.name) or _ASSIGNMENT.fullmatch(self.name)
        assert found
        return tuple(int(number) for number in found.groups())


def read_tags(root: Path) -> tuple[list[Tag], list[Tag]]:
    """The tags of versions, and those of assignments, each from the first to the last.

    Args:
        root: of the repository.

    Raises:
        DarkroomError: where there is no git repository.
    """
    text = git(root, "for-each-ref", f"--format={_FIELDS}", f"refs/tags/{NAME}@*", f"refs/tags/{NAME}#*")
    tags = [_tag(*record.split("\x1f", 3)) for record in text.split("\x1e")[1:]]
    # Lightweight tags have no commit here; GTO leaves them out, too.
    annotated = [tag for tag in tags if tag.commit]
    return (
        sorted((tag for tag in annotated if _VERSION.fullmatch(tag.name)), key=lambda tag: tag.order),
        sorted((tag for tag in annotated if _ASSIGNMENT.fullmatch(tag.name)), key=lambda tag: tag.order),
    )


def _tag(name: str, commit: str, seconds: str, message: str) -> Tag:
    title, _, rest = message.partition("\n\n")
    try:
        content = json.loads(rest)
    except ValueError:
        content = {}
    return Tag(name, commit, int(seconds or 0), title.strip(), content if isinstance(content, dict) else {})


def version_tag(number: str) -> str:
    """The name of the tag of a version `v1.4.0`.

    Raises:
        DarkroomError: when that is no version.
    """
    name = f"{NAME}@{number}"
    if not _VERSION.fullmatch(name):
        raise DarkroomError(f"{number!r} is no version: write it as v1.4.0; `make models` lists them")
    return name


def assignment_tag(assignments: list[Tag]) -> str:
    """The name of the tag of the next assignment."""
    return f"{NAME}#{STAGE}#{assignments[-1].order[0] + 1 if assignments else 1}"


def write_tags(root: Path, commit: str, messages: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """Write annotated tags that no reference leads to yet.

    Args:
        root: of the repository.
        commit: 40 hex digits.
        messages: by the name of the tag, its title and its content.

    Returns:
        By the name of the tag, the 40 hex digits of its object.
    """
    tagger, objects = _tagger(root), {}
    for name, (title, content) in messages.items():
        message = f"{' '.join(title.split())}\n\n{json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)}\n"
        header = f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n"
        objects[name] = git(root, "mktag", text=header + message)
    return objects


def create_tags(root: Path, objects: Mapping[str, str]) -> None:
    """Have references lead to tags, all or none of them.

    Raises:
        DarkroomError: when one is there already, or git can't write.
    """
    git(root, "update-ref", "--stdin", text="".join(f"create refs/tags/{name} {at}\n" for name, at in objects.items()))


def delete_tags(root: Path, objects: Mapping[str, str]) -> None:
    """Take tags back, all or none of them, where they lead to these objects; where they don't, nothing is to be done."""
    with contextlib.suppress(DarkroomError):
        git(
            root,
            "update-ref",
            "--stdin",
            text="".join(f"delete refs/tags/{name} {at}\n" for name, at in objects.items()),
        )


def _tagger(root: Path) -> str:
    """Who tags and when, as git writes it. Two tags never have the same second: DVC and GTO take the latest by its time."""
    who = git(root, "var", "GIT_COMMITTER_IDENT", environment=identity(root)).rsplit(" ", 2)[0]
    latest = max((tag.seconds for tags in read_tags(root) for tag in tags), default=0)
    return f"{who} {max(int(time.time()), latest + 1)} +0000"
