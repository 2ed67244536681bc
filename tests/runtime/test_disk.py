"""What a disk refuses is one message with the place and the remedy, whoever's error it is."""

import errno
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from darkroom.runtime import disk
from darkroom.runtime.disk import disk_errors, explain_words
from darkroom.runtime.errors import DarkroomError


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (
            errno.ENOSPC,
            r"^the disk is full \(data/a\); [\d,]+ bytes are free in /.*: make room, then type the same command",
        ),
        (errno.EDQUOT, r"^the disk quota is used up \(data/a\): make room"),
        (errno.EROFS, r"^the file system is read-only \(data/a\): mount it for writing"),
        (errno.EIO, r"^the disk or the network share fails \(data/a\): check it"),
        (errno.ESTALE, r"^the network share has gone and come back \(data/a\): mount it again"),
    ],
)
def test_the_system_names_the_trouble(number: int, message: str) -> None:
    with pytest.raises(DarkroomError, match=message), disk_errors():
        raise OSError(number, os.strerror(number), "data/a")


def test_libraries_have_words_of_their_own_for_a_full_disk() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    with pytest.raises(DarkroomError, match=r"^the disk is full"), disk_errors(), full.open("wb") as file:
        np.arange(100_000).tofile(file)
    with pytest.raises(DarkroomError, match=r"^the disk is full \(database or disk is full\)"), disk_errors():
        raise sqlite3.OperationalError("database or disk is full")
    with pytest.raises(DarkroomError, match=r"^the disk is full"), disk_errors():
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise ValueError("a library's own") from None


def test_torch_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_error = "[enforce fail at inline_container.cc:672] . unexpected pos 128 vs 0"
    with pytest.raises(RuntimeError, match="unexpected pos"), disk_errors():
        raise RuntimeError(torch_error)
    monkeypatch.setattr(disk, "_free", lambda folder: 0)
    with pytest.raises(DarkroomError, match=r"^the disk is full \(\[enforce fail.*; 0 bytes are free"), disk_errors():
        raise RuntimeError(torch_error)


def test_other_errors_stay_as_they_are() -> None:
    for error in (KeyError("a"), FileNotFoundError(2, "No such file", "a"), DarkroomError("mine"), ZeroDivisionError()):
        with pytest.raises(type(error)) as caught, disk_errors():
            raise error
        assert caught.value is error


def test_what_dvc_prints_gets_a_remedy() -> None:
    assert (
        explain_words("unexpected error - [Errno 28] No space left on device")
        == ": make room, then type the same command again"
    )
    assert explain_words("failed to pull data from the cloud") == ""
