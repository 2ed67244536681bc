"""dvc.yaml is one page, tells the truth about every stage, and does so where a newcomer would look."""

import configparser
import gc
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from darkroom.runtime.paths import INPUTS, OUTPUTS
from darkroom.settings.read import SECTIONS
from tests.conftest import ROOT

PAGE = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
PIPELINE: dict[str, Any] = yaml.safe_load(PAGE)["stages"]
LINE = ["survey", "code", "ingest", "validate", "split", "select", "preprocess", "train", "predict", "evaluate",
        "quantize", "export", "report"]  # fmt: skip
# Only a look can tell that the source and the code are as they were.
ALWAYS = ["survey", "code"]


def outputs(stage: str) -> list[str]:
    """The paths of a stage's outputs, with or without settings of their own."""
    return [path for out in PIPELINE[stage]["outs"] for path in ([out] if isinstance(out, str) else out)]


def test_the_line_is_one_page_with_its_stages_in_order() -> None:
    assert len(PAGE.splitlines()) <= 130
    assert list(PIPELINE) == LINE
    assert [stage for stage in LINE if PIPELINE[stage].get("always_changed")] == ALWAYS
    # DVC removes other outputs before it starts a stage, which may then be refused beside a run that reads them; and it copies
    # links of its cache before it starts a stage with outputs that persist, also those that lead to nothing.
    kept = {"cache": False, "persist": True}
    assert [PIPELINE[stage]["outs"] for stage in ALWAYS] == [[{f"data/{stage}": kept}] for stage in ALWAYS]


@pytest.mark.parametrize("stage", LINE)
def test_paths_are_those_of_dvc_yaml_and_one_more_is_the_code(stage: str) -> None:
    code = [] if stage in ALWAYS else [f"data/code/{stage}"]
    assert PIPELINE[stage].get("deps", []) == code + [path.as_posix() for path in INPUTS[stage]]
    assert outputs(stage) == [path.as_posix() for path in OUTPUTS[stage]]


@pytest.mark.parametrize("stage", LINE)
def test_one_word_in_five_places(stage: str) -> None:
    assert PIPELINE[stage]["cmd"] == f"python -m stages.{stage}"
    if stage not in ("code", "report"):
        # The survey looks at what ingest reads, a network is chosen to be trained, and what it predicts is scored.
        section = {"survey": "ingest", "select": "train", "predict": "evaluate"}.get(stage, stage)
        assert section in SECTIONS
        assert section in {name.partition(".")[0] for name in PIPELINE[stage]["params"]}
    # Pages stand beside what they show.
    own = (f"data/{stage}", f"models/{stage}", f"reports/{stage}")
    assert stage == "report" or any(out in own for out in outputs(stage))
    assert (ROOT / f"tests/stages/test_{stage}.py").exists()
    assert callable(importlib.import_module(f"stages.{stage}").run)


@pytest.mark.parametrize("stage", LINE)
def test_data_comes_from_stages_before(stage: str) -> None:
    # The label fixes are the user's own, and in git.
    made = ["data/label_fixes.csv", *(out for earlier in LINE[: LINE.index(stage)] for out in outputs(earlier))]
    for path in PIPELINE[stage].get("deps", []):
        assert any(path == out or path.startswith(f"{out}/") for out in made), path


def test_only_those_who_judge_depend_on_the_test_split() -> None:
    tested = {"data/preprocess", "data/preprocess/test"}
    assert [stage for stage in LINE if tested & set(PIPELINE[stage].get("deps", []))] == [
        "predict",
        "export",
        "report",
    ]


def test_dvc_is_quiet_and_ignores_what_python_leaves_behind() -> None:
    config = configparser.ConfigParser()
    config.read_string("\n".join(line.strip() for line in (ROOT / ".dvc/config").read_text().splitlines()))
    assert config["core"]["analytics"] == config["core"]["check_update"] == "false"
    ignored = (ROOT / ".dvcignore").read_text().split()
    assert {"__pycache__", ".venv", ".darkroom"} <= set(ignored)


LOCK_BLOCK = re.compile(
    r"^([a-z0-9.-]+)==([\w.]+)(?: ; [^\n\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def locked(name: str) -> dict[str, tuple[str, set[str]]]:
    """Package → version and hashes of its files; the lock has nothing else."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not LOCK_BLOCK.sub("", text).splitlines()[1:], f"{name} has exact versions with hashes and no addresses"
    return {found[1]: (found[2], set(re.findall("[0-9a-f]{64}", found[3]))) for found in LOCK_BLOCK.finditer(text)}


def test_locks_hold_exact_versions_with_the_hashes_of_their_files() -> None:
    line, converter, cuda = (locked(f"requirements{name}.txt") for name in ("", "-tflite", "-cuda"))
    assert line["torch"][0] == "2.13.0" and line["torchvision"][0] == "0.28.0"
    assert line["sqlalchemy"][0].startswith("2.0.")
    assert not set(locked("requirements-dev.txt")) & set(line)
    for part in ("requirements-diff.txt", "requirements-serve.txt"):
        assert all(line[name] == block for name, block in locked(part).items()), "a part has what the line has"
    for extra in ("s3", "gs", "az", "serve-s3"):
        found = locked(f"requirements-{extra}.txt")
        assert all(found[name] == line[name] for name in found.keys() & line), "an extra moves nothing of the line"
    # A program that one version of torch wrote is read by the same one, and a file is run by the runtime it was made for.
    assert all(converter[name] == line[name] for name in ("torch", "ai-edge-litert"))
    # What only torch's build for CUDA needs is apart, so that the others are spared its 3 GB.
    assert all(name.startswith(("nvidia-", "cuda-", "triton")) for name in cuda)
    assert {"nvidia-cudnn-cu13", "triton"} <= set(cuda) and not set(cuda) & (set(line) | set(converter))


def test_the_lock_has_both_builds_of_torch() -> None:
    rows = [
        line.split() for line in (ROOT / ".ci/torch-cpu.sha256").read_text().splitlines() if not line.startswith("#")
    ]
    line = locked("requirements.txt")
    for sha256, file in rows:
        name, version = file.split("-")[:2]
        assert version == f"{line[name][0]}+cpu" and sha256 in line[name][1]
    for name in ("torch", "torchvision"):
        assert len(line[name][1]) > sum(file.startswith(f"{name}-") for _, file in rows) + 10, (
            "those of PyPI are there too"
        )


@pytest.mark.parametrize("stage", LINE[2:])
def test_a_stage_before_its_inputs_names_them(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("darkroom", "stages", "params.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"stages.{stage}"])
    # ingest switches it off, for the time of its process.
    monkeypatch.setattr(gc, "disable", lambda: None)
    with pytest.raises(SystemExit, match="1"):
        importlib.import_module(f"stages.{stage}").main()
    assert re.search(r"error: (data|models|reports)/\S+ is not there yet: run `dvc repro \w+`", capsys.readouterr().err)
