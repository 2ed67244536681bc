"""The class list: made once at ingest, hashed, and carried with everything that knows classes."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from darkroom.runtime.checked_json import STRICT, read_checked
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"have each name once, and has {', '.join(map(repr, repeated[:3]))} more often")
    return names


Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class ClassList:
    """Class names in the order of their labels: class `i` has label `i`."""

    __pydantic_config__ = STRICT

    # Lists too, since a validator before this one makes Python of JSON.
    names: Annotated[tuple[Name, ...], Strict(False), Field(min_length=1), AfterValidator(_distinct)]

    @property
    def hash(self) -> str:
        """SHA-256 of the names in order, in hex."""
        return hashlib.sha256(json.dumps(self.names, ensure_ascii=False).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.names)

    def save(self, path: Path) -> None:
        write_json(path, {"classes": self.names, "hash": self.hash})

    def require_same(
        self, names: Sequence[str], where: str, remedy: str = "run the line again with `dvc repro`"
    ) -> None:
        """Stop unless `names` is this list, in this order; `where` and `remedy` are for the message.

        Raises:
            DarkroomError: naming the classes that only one list has, or those in another order.
        """
        if tuple(names) == self.names:
            return
        ours, theirs = set(self.names), set(names)
        parts = []
        if ours - theirs:
            parts.append(f"missing there: {', '.join(sorted(ours - theirs))}")
        if theirs - ours:
            parts.append(f"unknown here: {', '.join(sorted(theirs - ours))}")
        if repeated := [name for name, times in Counter(names).items() if times > 1]:
            parts.append(f"more than once there: {', '.join(repeated)}")
        if not parts:
            moved = [a for a, b in zip(self.names, names, strict=True) if a != b]
            parts.append(f"in another order: {', '.join(moved)}")
        raise DarkroomError(f"{where} was made with another class list ({'; '.join(parts)}): {remedy}")


# Files hold a class list as its names.
StoredClasses = Annotated[ClassList, BeforeValidator(lambda names: {"names": names})]


@dataclass(frozen=True)
class _Stored:
    """`classes.json`."""

    __pydantic_config__ = STRICT

    classes: StoredClasses
    hash: str


def load_classes(path: Path, remedy: str = "run `dvc repro ingest`", where: str = "") -> ClassList:
    """Read what `ClassList.save` wrote.

    Args:
        path: the file.
        remedy: what the user can do about a damaged one, for the message.
        where: its place, for the message, where that is not the path.

    Raises:
        DarkroomError: when the file is damaged, names a class twice, or the names do not have the hash beside them.
    """
    stored = read_checked(path, _Stored, remedy, where)
    if stored.classes.hash != stored.hash:
        raise DarkroomError(f"{where or path} was changed by hand: its names do not have its hash; {remedy}")
    return stored.classes
