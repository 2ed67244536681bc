"""What `dvc repro` runs after an edit of the code, in a clone whose line has run on the digits."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ALWAYS = {"survey", "code"}
SMALL = {
    "source: fashion-mnist": "source: digits",
    "epochs: 12": "epochs: 1",
    "calibration_images: 512": "calibration_images: 64",
    "parity_images: 10000": "parity_images: 50",
}


def repro(clone: Path, environment: dict[str, str]) -> set[str]:
    """Bring the line up to date; the stages that ran."""
    done = subprocess.run(["dvc", "repro"], cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"Running stage '(\w+)'", done.stdout))


def replace(clone: Path, path: str, old: str, new: str) -> None:
    text = (clone / path).read_text(encoding="utf-8")
    assert old in text, f"{path} does not have {old!r}"
    (clone / path).write_text(text.replace(old, new, 1), encoding="utf-8")


def comment_everything(clone: Path) -> None:
    """A comment and a docstring more in every module."""
    for path in [path for top in ("darkroom", "stages", "flows") for path in (clone / top).rglob("*.py")]:
        path.write_text(f'{path.read_text(encoding="utf-8")}\n# A comment.\n"""A docstring."""\n', encoding="utf-8")


@pytest.mark.slow
def test_an_edit_reruns_what_depends_on_it(make_clone: Callable[[], Path], user_environment: dict[str, str]) -> None:
    clone = make_clone()
    environment = user_environment | {"PATH": f"{clone}/.venv/bin:{user_environment['PATH']}"}
    for old, new in SMALL.items():
        replace(clone, "params.yaml", old, new)
    everything = repro(clone, environment)
    assert everything > ALWAYS | {"ingest", "train", "predict", "evaluate", "report"}
    assert repro(clone, environment) == ALWAYS

    def reruns(path: str, old: str, new: str) -> set[str]:
        replace(clone, path, old, new)
        return repro(clone, environment) - ALWAYS

    comment_everything(clone)
    assert repro(clone, environment) == ALWAYS
    # Words of a setting.
    assert (
        reruns("darkroom/settings/train.py", "Passes over the training images", "Rounds over the training images")
        == set()
    )
    # Words and style of a page.
    assert reruns("darkroom/drawing/templates/evaluation.html", "All numbers are in", "Every number is in") == {
        "report"
    }
    assert reruns("darkroom/drawing/templates/page.css", "}", "}\n") == {"report"}
    # A metric.
    metric = reruns("darkroom/evaluation/scorecard.py", '("loss", losses.mean(),', '("loss", 2 * losses.mean(),')
    assert metric == {"evaluate", "export", "report"}
