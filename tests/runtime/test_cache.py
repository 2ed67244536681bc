"""What is kept comes back as it was, or not at all."""

from pathlib import Path

import pyarrow as pa
import pytest

from darkroom.runtime.cache import KeptTables

TABLES = {"one": pa.table({"name": ["a", "b"]}), "other": pa.table({"number": [1, 2, 3]})}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    KeptTables(tmp_path / "kept", "made so").save(TABLES)
    return tmp_path / "kept"


def test_it_comes_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert KeptTables(folder, "made so").load() == TABLES
    assert capsys.readouterr().out == ""
    assert KeptTables(folder, "made otherwise").load() == {}
    assert "was made with another version or other settings" in capsys.readouterr().out
    assert KeptTables(folder.parent / "nothing", "made so").load() == {}
    assert capsys.readouterr().out == ""


def test_no_damaged_byte_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for position in range(0, len(whole), 1 if path.suffix == ".json" else 19):
            for flip in (1, 0x80):
                path.write_bytes(whole[:position] + bytes([whole[position] ^ flip]) + whole[position + 1 :])
                found = KeptTables(folder, "made so").load()
                assert found in ({}, TABLES)
                assert found or "it is made again" in capsys.readouterr().out
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["one.arrow", "sums.json"])
def test_a_missing_file_is_noticed(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / name).unlink()
    assert KeptTables(folder, "made so").load() == {}
    assert "is damaged" in capsys.readouterr().out


def test_cut_short_or_emptied(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for left in (0, 1, len(whole) // 2, len(whole) - 3):
            path.write_bytes(whole[:left])
            assert KeptTables(folder, "made so").load() == {}
        path.write_bytes(whole)
