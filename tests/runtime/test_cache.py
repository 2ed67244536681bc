"""A cached table comes back as it was, or not at all."""

from pathlib import Path

import pyarrow as pa
import pytest

from darkroom.runtime.cache import TableCache

TABLES = {"one": pa.table({"name": ["a", "b"]}), "other": pa.table({"number": [1, 2, 3]})}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    TableCache(tmp_path / "cache", "these settings").save(TABLES)
    return tmp_path / "cache"


def test_it_comes_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert TableCache(folder, "these settings").load() == TABLES
    assert capsys.readouterr().out == ""
    assert TableCache(folder, "other settings").load() == {}
    assert "was made with another version or other settings" in capsys.readouterr().out
    assert TableCache(folder.parent / "nothing", "these settings").load() == {}
    assert capsys.readouterr().out == ""


def test_no_damaged_byte_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for position in range(0, len(whole), 1 if path.suffix == ".json" else 19):
            for flip in (1, 0x80):
                path.write_bytes(whole[:position] + bytes([whole[position] ^ flip]) + whole[position + 1 :])
                found = TableCache(folder, "these settings").load()
                assert found in ({}, TABLES)
                assert found or "it is computed again" in capsys.readouterr().out
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["one.arrow", "sums.json"])
def test_a_missing_file_is_noticed(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / name).unlink()
    assert TableCache(folder, "these settings").load() == {}
    assert "is damaged" in capsys.readouterr().out


def test_cut_short_or_emptied(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for left in (0, 1, len(whole) // 2, len(whole) - 3):
            path.write_bytes(whole[:left])
            assert TableCache(folder, "these settings").load() == {}
        path.write_bytes(whole)
