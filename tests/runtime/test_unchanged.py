"""Settings that change while a stage runs stop it: DVC would record what it made under the new ones."""

from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import LABEL_FIXES
from darkroom.runtime.unchanged import unchanged_inputs
from tests.conftest import ROOT

PARAMS = Path("params.yaml")


def edit(stage: str, old: str, new: str) -> None:
    with unchanged_inputs(stage):
        text = PARAMS.read_text()
        assert text.count(old) == 1
        PARAMS.write_text(text.replace(old, new))


def test_only_the_settings_of_a_stage_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "dvc.yaml"):
        Path(name).write_text((ROOT / name).read_text())
    with pytest.raises(
        DarkroomError, match=r"^params\.yaml was changed while train ran \(train\): .*Type the same command"
    ):
        edit("train", "  epochs: 12\n", "  epochs: 13\n")
    edit("train", "  trials: ", "  trials: 1")
    edit("train", "\ntrain:", "\n# a comment\ntrain:")
    with pytest.raises(DarkroomError, match=r"changed while survey ran \(ingest\.path\)"):
        edit("survey", "  path: images", "  path: photos")
    edit("preprocess", "  path: photos", "  path: images")


def test_label_fixes_are_read_by_ingest_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    LABEL_FIXES.parent.mkdir()
    with (
        pytest.raises(DarkroomError, match=r"label_fixes\.csv was changed while ingest ran"),
        unchanged_inputs("ingest"),
    ):
        LABEL_FIXES.write_text("a.png,relabel,cat\n")
    with unchanged_inputs("validate"):
        LABEL_FIXES.unlink()
