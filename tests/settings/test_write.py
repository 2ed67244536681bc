"""Taking the best over changes the settings and nothing else of `params.yaml`."""

from pathlib import Path

from darkroom.settings.read import PARAMS_FILE, read_params
from darkroom.settings.write import with_train_settings, write_params
from tests.conftest import ROOT

TEXT = (ROOT / PARAMS_FILE).read_text(encoding="utf-8")


def test_comments_order_and_form_survive(tmp_path: Path) -> None:
    assert with_train_settings(TEXT, {}) == TEXT
    best = {"learning_rate": 0.0123, "shift": 0.05, "filters": 64, "flip": False, "optimizer": "adamw"}
    changed = with_train_settings(TEXT, best)
    pairs = [(old, new) for old, new in zip(TEXT.splitlines(), changed.splitlines(), strict=True) if old != new]
    assert {new.split(":")[0].strip() for _, new in pairs} == set(best)
    assert all(old.partition("#")[1:] == new.partition("#")[1:] for old, new in pairs)
    path = tmp_path / "params.yaml"
    write_params(path, changed)
    assert read_params(path).train.model_dump().items() >= best.items()
    assert [file.name for file in tmp_path.iterdir()] == ["params.yaml"]
