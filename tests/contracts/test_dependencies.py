"""dvc.yaml tells the truth: every stage depends on the code it reaches, and the rooms keep to themselves."""

import configparser
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from darkroom.model.provenance import import_closure
from darkroom.settings.sections import section_fields
from tests.conftest import ROOT

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
LINE = ["survey", "ingest", "validate", "split", "preprocess", "train", "evaluate", "quantize", "export"]
CODE = ("darkroom/", "stages/")


def outputs(stage: str) -> list[str]:
    """The paths of a stage's outputs, with or without settings of their own."""
    return [path for out in PIPELINE[stage]["outs"] for path in ([out] if isinstance(out, str) else out)]


def test_the_line_has_its_stages_in_order() -> None:
    assert list(PIPELINE) == LINE


@pytest.mark.parametrize("stage", LINE)
def test_dependencies_are_the_import_closure(stage: str) -> None:
    expected = import_closure(Path(f"stages/{stage}.py"), ROOT)
    listed = [path for path in PIPELINE[stage]["deps"] if path.startswith(CODE)]
    assert listed == expected, "deps in dvc.yaml should be:\n" + "\n".join(f"      - {path}" for path in expected)


@pytest.mark.parametrize("stage", LINE)
def test_one_word_in_five_places(stage: str) -> None:
    assert PIPELINE[stage]["cmd"] == f"python -m stages.{stage}"
    # What the survey looks at is what ingest will take in: they share the settings.
    section = "ingest" if stage == "survey" else stage
    assert section in section_fields()
    assert section in {name.partition(".")[0] for name in PIPELINE[stage]["params"]}
    assert any(out in (f"data/{stage}", f"models/{stage}", f"reports/{stage}") for out in outputs(stage))
    assert (ROOT / f"tests/stages/test_{stage}.py").exists()
    assert callable(importlib.import_module(f"stages.{stage}").run)


@pytest.mark.parametrize("stage", LINE)
def test_data_comes_from_stages_before(stage: str) -> None:
    # The label fixes are the user's own, and in git.
    made = ["data/label_fixes.csv", *(out for earlier in LINE[: LINE.index(stage)] for out in outputs(earlier))]
    for path in PIPELINE[stage]["deps"]:
        if not path.startswith(CODE):
            assert any(path == out or path.startswith(f"{out}/") for out in made), path


def test_only_those_who_judge_depend_on_the_test_split() -> None:
    readers = [stage for stage in LINE if {"data/preprocess", "data/preprocess/test"} & set(PIPELINE[stage]["deps"])]
    assert readers == ["evaluate", "export"]


def test_rooms_keep_to_themselves() -> None:
    for stage in LINE:
        reached = import_closure(Path(f"stages/{stage}.py"), ROOT)
        assert [path for path in reached if path.startswith(("stages/", "flows/"))] == [
            "stages/__init__.py",
            f"stages/{stage}.py",
        ]
    for module in (ROOT / "darkroom").rglob("*.py"):
        reached = import_closure(module.relative_to(ROOT), ROOT)
        assert not [path for path in reached if path.startswith(("stages/", "flows/"))], module


def test_a_hidden_import_is_seen(tmp_path: Path) -> None:
    (tmp_path / "darkroom").mkdir()
    (tmp_path / "stages").mkdir()
    (tmp_path / "darkroom/__init__.py").touch()
    (tmp_path / "darkroom/a.py").write_text("def later():\n    from darkroom import b\n")
    (tmp_path / "darkroom/b.py").write_text("import darkroom.c as c\n")
    (tmp_path / "darkroom/c.py").touch()
    (tmp_path / "stages/s.py").write_text("import json\nfrom darkroom.a import later\n")
    assert import_closure(Path("stages/s.py"), tmp_path) == [
        "darkroom/__init__.py", "darkroom/a.py", "darkroom/b.py", "darkroom/c.py", "stages/s.py",
    ]  # fmt: skip


def test_dvc_is_quiet_and_ignores_what_python_leaves_behind() -> None:
    config = configparser.ConfigParser()
    config.read_string("\n".join(line.strip() for line in (ROOT / ".dvc/config").read_text().splitlines()))
    assert config["core"]["analytics"] == config["core"]["check_update"] == "false"
    ignored = (ROOT / ".dvcignore").read_text().split()
    assert {"__pycache__", ".venv", ".darkroom"} <= set(ignored)


def test_locks_hold_exact_versions_and_no_addresses() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-tflite.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
        assert all(line.count("==") == 1 and "/" not in line and "+" not in line for line in lines)
    pins = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line)
    assert pins["torch"] == "2.13.0" and pins["torchvision"] == "0.28.0"
    assert pins["sqlalchemy"].startswith("2.0.")
    # A program that one version of torch wrote is read by the same one, and a file is run by the runtime it was made for.
    converter = dict(
        line.split("==") for line in (ROOT / "requirements-tflite.txt").read_text().splitlines() if "==" in line
    )
    assert {name: converter[name] for name in ("torch", "ai-edge-litert")} == {
        name: pins.get(name) for name in ("torch", "ai-edge-litert")
    }


@pytest.mark.parametrize("stage", LINE[1:])
def test_a_stage_before_its_inputs_names_them_without_a_traceback(stage: str, tmp_path: Path) -> None:
    for name in ("darkroom", "stages", "params.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run([sys.executable, "-m", f"stages.{stage}"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert re.search(r"error: (data|models)/\S+ is not there yet: run `dvc repro \w+`", done.stderr)
