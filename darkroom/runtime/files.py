"""Files and folders written whole or not at all, JSON in one form, and the hash of a file."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a fresh folder beside `target` to write in, and rename it to `target` when the block ends well.

    A killed run leaves nothing half-made where the next run would look: only the folder `.<name>.partial`, which the next
    one removes first. When the block raises, `target` is as it was before.

    Raises:
        DarkroomError: when no folder can be made there; the block does not begin then.
    """
    with _beside(target) as partial:
        yield partial
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)


@contextmanager
def whole_files(target: Path) -> Iterator[Path]:
    """The same for some files of a folder to which other stages write, too: what else is in `target` stays.

    Each file and folder that the block made in the fresh folder replaces the one of its name in `target`, one after another,
    when the block ends well.

    Raises:
        DarkroomError: when no folder can be made there; the block does not begin then.
    """
    with _beside(target) as partial:
        yield partial
        target.mkdir(exist_ok=True)
        for made in sorted(partial.iterdir()):
            if made.is_dir():
                shutil.rmtree(target / made.name, ignore_errors=True)
            made.replace(target / made.name)
        partial.rmdir()


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a path beside `target` to write one file to, and rename it to `target` when the block ends well.

    One writer at a time: two would write to the same path.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(target)
    try:
        yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(target)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A fresh folder beside `target`, removed when the block raises."""
    partial = _partial(target)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise DarkroomError(
            f"the folder {target} can't be made: {error.strerror}; fix {target.parent}, or choose another folder"
        ) from None
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """A second name for a file, or a copy with its time where the file system has no links.

    Whoever may have the second name never opens it to write: all that the line writes are new files, renamed into place.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def private_opener(path: str, flags: int) -> int:
    """For `open`: a file that only this user may read. What a model answers about people's photographs is theirs."""
    return os.open(path, flags, 0o600)


def write_json(path: Path, content: object) -> None:
    """Write JSON in UTF-8, two spaces deep, keys in the order given, with a last newline.

    Raises:
        ValueError: for a NaN or an infinity, which JSON does not have.
    """
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        OSError: when it can't be read.
        ValueError: when it is not JSON in UTF-8.
    """
    return json.loads(path.read_text(encoding="utf-8"))


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex, read piece by piece.

    Raises:
        OSError: when it can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
