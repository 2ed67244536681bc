"""The report stage: pages from files alone, the same bytes from the same files, one by one or all."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.runtime.closure import Code
from darkroom.runtime.errors import DarkroomError
from stages import report
from tests.conftest import ROOT

PAGES = ["train", "evaluate"]


@pytest.fixture
def drawn(scored: Path, tmp_path: Path) -> Path:
    root = shutil.copytree(scored, tmp_path / "drawn")
    report.run(root=root, pages=PAGES)
    return root


def test_pages_are_drawn_beside_what_they_show(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = {name: (drawn / name).read_bytes() for name in ("reports/train/index.html", "reports/evaluate/report.html")}
    report.run(root=drawn, pages=["train"])
    report.run(root=drawn, pages=["evaluate"])
    assert {name: (drawn / name).read_bytes() for name in first} == first
    assert f"report: {drawn / 'reports/evaluate/report.html'}\n" in capsys.readouterr().out
    for page in first.values():
        assert str(drawn).encode() not in page
    assert "62% zero, 38% one" in first["reports/train/index.html"].decode()
    text = first["reports/evaluate/report.html"].decode()
    assert "of 26 test images are predicted correctly" in text and "train.epochs" in text


def test_no_such_page(scored: Path) -> None:
    with pytest.raises(DarkroomError, match="there is no page of split: the pages are "):
        report.run(root=scored, pages=["split"])


def test_a_model_of_another_training_stops_and_leaves_the_last_page(drawn: Path) -> None:
    before = (drawn / "reports/evaluate/report.html").read_bytes()
    spec = drawn / "models/train/model.json"
    spec.write_text(spec.read_text().replace('"epoch": 2', '"epoch": 1'))
    with pytest.raises(DarkroomError, match="best epoch is 2, and the model is of epoch 1: run `dvc repro train`"):
        report.run(root=drawn, pages=["evaluate"])
    assert (drawn / "reports/evaluate/report.html").read_bytes() == before


def test_predictions_of_other_images_stop(drawn: Path) -> None:
    shutil.copytree(drawn / "data/preprocess/validation", drawn / "data/preprocess/test", dirs_exist_ok=True)
    with pytest.raises(DarkroomError, match="is not of the images in"):
        report.run(root=drawn, pages=["evaluate"])


def test_pages_need_no_network() -> None:
    assert not [path for path in Code(ROOT).closure("stages/report.py") if path.startswith("darkroom/network/")]
    code = (
        "import sys, stages.report, darkroom.evaluation.page, darkroom.training.page, darkroom.compression.page\n"
        "print(sorted({'torch', 'torchvision', 'timm', 'onnxruntime', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize("stage", ["validate", "train", "predict", "evaluate", "quantize"])
def test_no_other_stage_reaches_templates_or_page_code(stage: str) -> None:
    reached = Code(ROOT).closure(f"stages/{stage}.py")
    assert not [path for path in reached if path.endswith(("page.py", "charts.py", ".html", ".css"))]


def test_the_page_of_quantize_needs_the_times_of_its_candidates(
    shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "line"
    for folder in ("models/quantize", "models/train", "reports/timings", "reports/quantize"):
        shutil.copytree(shipped / folder, root / folder, ignore=shutil.ignore_patterns("*.onnx"))
    page = (shipped / "reports/quantize/index.html").read_bytes()
    report.run(root=root, pages=["quantize"])
    assert (root / "reports/quantize/index.html").read_bytes() == page
    times = root / "reports/timings/quantize_latency.json"
    times.write_text(times.read_text().replace('"int8"', '"int4"'))
    report.run(root=root, pages=["quantize"])
    times.unlink()
    report.run(root=root, pages=["quantize"])
    assert (root / "reports/quantize/index.html").read_bytes() == page
    assert (
        capsys.readouterr().out.count("has no times of these candidates; `dvc repro -f -s quantize` measures them here")
        == 2
    )


def test_the_line_draws_every_page_but_that_of_the_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stages.report"])
    monkeypatch.setattr(report, "run", lambda *, root, pages: drawn.extend(pages))
    report.main()
    assert drawn == ["validate", "great_expectations", "train", "evaluate", "quantize"]
