"""The stage writes one line for each stage."""

from pathlib import Path

from stages import code


def test_a_file_for_each_stage(tmp_path: Path) -> None:
    code.run(stages=["split", "train"], out=tmp_path / "code")
    written = {path.name: path.read_text() for path in (tmp_path / "code").iterdir()}
    assert sorted(written) == ["split", "train"]
    assert all(len(text) == 13 and int(text, 16) >= 0 for text in written.values())
    assert written["split"] != written["train"]
