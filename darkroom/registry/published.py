"""Published bundles, and the link that the service follows: on the disk before the link leads there."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from darkroom.bundle.bundle import load_bundle
from darkroom.registry.answers import ask, require_same_answers, store_answers, stored_answers
from darkroom.registry.versions import LINK, SERVING
from darkroom.runtime.errors import DarkroomError


def answers_file(root: Path, number: str) -> Path:
    """Where the stored images of a published version are, beside its folder: `models/serving/v1.4.0.answers.parquet`."""
    return root / SERVING / f"{number}.answers.parquet"


def linked(root: Path) -> str | None:
    """The version that the link leads to; None where there is no link."""
    link = root / LINK
    return link.readlink().name if link.is_symlink() else None


def publish(root: Path, number: str, bundle: Path, images: Sequence[bytes]) -> None:
    """Copy a bundle to `models/serving/<number>/`, flush it to the disk, and ask the copy about images.

    Killed at whatever moment, it leaves folders that nothing leads to, and the next call removes them.

    Args:
        root: of the repository.
        number: of the version.
        bundle: its folder.
        images: files; they are stored beside it with the answers.

    Raises:
        DarkroomError: when the bundle is damaged, the link leads to a folder of this name already, or the copy gives other
            answers.
    """
    target = root / SERVING / number
    if linked(root) == number:
        raise DarkroomError(
            f"{root / LINK} leads to {number}, which has no tag: `git fetch --tags`, where another clone has it, "
            "or remove the link"
        )
    answers = ask(load_bundle(bundle, threads=1), images)
    partial = target.with_name(f".{number}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for file in sorted(bundle.iterdir()):
            shutil.copyfile(file, partial / file.name)
            flush(partial / file.name)
        flush(partial)
        require_same_answers(load_bundle(partial, threads=1), images, answers)
        stored = partial.with_suffix(".answers")
        store_answers(stored, images, answers)
        flush(stored)
        stored.replace(answers_file(root, number))
        # What is there may be the bundle itself, whose stored answers alone were missing.
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    flush(target.parent)


def verify(root: Path, number: str) -> None:
    """Read every byte of a published bundle, and ask it about its stored images.

    Raises:
        DarkroomError: when a byte or an answer is another one than before.
    """
    bundle = load_bundle(root / SERVING / number, threads=1)
    require_same_answers(bundle, *stored_answers(answers_file(root, number)))


def is_published(root: Path, number: str) -> bool:
    """Whether a version's bundle and its stored images are here."""
    return (root / SERVING / number).is_dir() and answers_file(root, number).is_file()


def point(root: Path, number: str | None) -> None:
    """Lead the link to a published version, by one rename; None takes it away.

    Whoever looks meanwhile finds the one before or this one.
    """
    link = root / LINK
    if number is None:
        link.unlink(missing_ok=True)
    else:
        if link.exists() and not link.is_symlink():
            raise DarkroomError(f"{link} is no link: move it away, and the service's model can be switched")
        beside = link.with_name(".current.partial")
        beside.unlink(missing_ok=True)
        beside.symlink_to(number)
        beside.replace(link)
    flush(link.parent)


def flush(path: Path) -> None:
    """Have the system write a file, or the entries of a folder, to the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        # Some network shares refuse it for folders.
        with contextlib.suppress(OSError):
            os.fsync(number)
    finally:
        os.close(number)
