"""The directory of a zip in blocks: whatever is in its names and numbers, and wherever a block ends."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from darkroom.sources import zip_directory
from darkroom.sources.zip_directory import find_directory, read_blocks, zip_hash


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Entries whose names, comments and extra fields have what entries begin with."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for number in range(200):
            info = zipfile.ZipInfo("PK\1\2" * (number % 3) + f"{number:03}ä.png")
            info.comment = b"PK\1\2" * (number % 5 == 0)
            info.extra = b"\1\1\4\0PK\1\2" * (number % 7 == 0)
            opened.writestr(info, b"x" * number)
    return path


@pytest.mark.parametrize("size", [46, 100, 1_000, 1 << 20])
def test_blocks_have_all_entries(size: int, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_directory, "BLOCK", size)
    span = find_directory(archive)
    assert span is not None
    blocks = [block for block in read_blocks(archive, span) if block is not None]
    with zipfile.ZipFile(archive) as opened:
        expected = opened.infolist()
    assert [name for block in blocks for name in block.names.to_pylist()] == [info.filename for info in expected]
    entries = np.concatenate([block.entries for block in blocks])
    assert entries.tolist() == [
        (info.header_offset, info.compress_size, info.file_size, info.CRC, info.compress_type) for info in expected
    ]
    assert all(flags & 0x800 for block in blocks for flags in block.flags.tolist())


def test_something_between_entries_is_no_block(archive: Path) -> None:
    found = find_directory(archive)
    assert found is not None
    start, length = found
    assert [block is None for block in read_blocks(archive, (start + 1, length - 1))] == [True]
    assert list(read_blocks(archive, (start, length - 1)))[-1] is None


def test_the_hash_changes_with_an_entry_alone(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = zip_hash(archive)
    monkeypatch.setattr(zip_directory, "BLOCK", 100)
    assert zip_hash(archive) == before
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("dog/1.png", b"1")
    assert zip_hash(archive) != before
    archive.write_bytes(b"no zip")
    assert len(zip_hash(archive)) == 64
    assert zip_hash(archive) != before
