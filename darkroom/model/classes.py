"""The class list: made once at ingest, hashed, and carried with everything that knows classes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import read_json, write_json


@dataclass(frozen=True)
class ClassList:
    """Class names in the order of their labels: class `i` has label `i`."""

    names: tuple[str, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of the names in order, in hex."""
        return hashlib.sha256(json.dumps(self.names, ensure_ascii=False).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.names)

    def save(self, path: Path) -> None:
        write_json(path, {"classes": self.names, "hash": self.hash})

    def require_same(self, names: Sequence[str], where: str) -> None:
        """Stop unless `names` is this list, in this order.

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
        if not parts:
            moved = [a for a, b in zip(self.names, names, strict=True) if a != b]
            parts.append(f"in another order: {', '.join(moved)}")
        raise DarkroomError(
            f"{where} was made with another class list ({'; '.join(parts)}): run the line again with `dvc repro`"
        )


def load_classes(path: Path) -> ClassList:
    """Read what `ClassList.save` wrote.

    Raises:
        DarkroomError: when the file is damaged, or the names do not have the hash beside them.
    """
    try:
        content = read_json(path)
        classes, written = ClassList(tuple(content["classes"])), content["hash"]
    except (ValueError, TypeError, KeyError) as error:
        raise DarkroomError(f"{path} is damaged ({error!r}): run `dvc repro ingest`") from None
    if classes.hash != written:
        raise DarkroomError(f"{path} was changed by hand: its names do not have its hash; run `dvc repro ingest`")
    return classes
