"""From image files to answers: the same as the evaluation, whatever lies between good images."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from darkroom import predict
from darkroom.bundle import Bundle, load_bundle
from darkroom.predict import Answer, Refusal, predict_files
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def bundle(shipped: Path) -> Bundle:
    return load_bundle(shipped / "models/export")


@pytest.fixture(scope="module")
def tested(shipped: Path) -> list[dict[str, Any]]:
    """Rows of predictions.parquet."""
    rows: list[dict[str, Any]] = pq.read_table(shipped / "reports/evaluate/predictions.parquet").to_pylist()
    return rows


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "darkroom.predict", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_says_of_test_images_what_the_evaluation_said(
    shipped: Path, tested: list[dict[str, Any]], tmp_path: Path
) -> None:
    paths = [shipped / "images" / str(row["path"]) for row in tested]
    done = command(shipped / "models/export", *paths, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["path"] for answer in answers] == [str(path) for path in paths]
    assert [answer["label"] for answer in answers] == [row["predicted"] for row in tested]
    for answer, row in zip(answers, tested, strict=True):
        assert list(answer) == ["path", "label", "confidence", "probabilities"]
        assert list(answer["probabilities"]) == ["one", "zero", "été"]
        assert answer["confidence"] == answer["probabilities"][answer["label"]]
        np.testing.assert_allclose(list(answer["probabilities"].values()), row["probabilities"], atol=1e-5)


def test_a_graph_can_be_named(shipped: Path, tested: list[dict[str, Any]], tmp_path: Path) -> None:
    image = shipped / "images" / str(tested[0]["path"])
    done = command(shipped / "models/export", image, "--graph", "model.onnx", cwd=tmp_path)
    assert json.loads(done.stdout)["label"] == tested[0]["predicted"]
    done = command(shipped / "models/export", image, "--graph", "model.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "holds no graph model.json: it has model.onnx" in done.stderr and "Traceback" not in done.stderr


def test_bad_images_have_their_own_lines_and_do_not_stop_the_others(shipped: Path, tmp_path: Path) -> None:
    good = shipped / "images/zero/00.png"
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:60])
    (tmp_path / "folder").mkdir()
    names = ["empty.png", good, "text.png", "nowhere.png", "cut.png", "folder", good]
    done = command(shipped / "models/export", *names, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["path"] for line in lines] == [str(name) for name in names]
    assert ["error" in line for line in lines] == [True, False, True, True, True, True, False]
    errors = [line["error"] for line in lines if "error" in line]
    assert errors[0] == "the file is empty"
    assert errors[1] == "not an image in a known format"
    assert errors[2] == "can't be read: No such file or directory"
    assert errors[3].startswith("damaged: ")
    assert errors[4] == "can't be read: Is a directory"
    assert lines[1] == lines[6]


def test_a_changed_bundle_is_one_message_and_no_traceback(shipped: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shipped / "models/export", tmp_path / "bundle"))
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0")
    done = command("bundle", shipped / "images/zero/00.png", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: bundle/model.onnx was changed: its SHA-256 is ")
    assert len(done.stderr.splitlines()) == 1


def test_no_torch_and_no_tables_are_imported(shipped: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['predict', *sys.argv[1:]]; from darkroom import predict; predict.main()\n"
        "print(sorted({'torch', 'pandas', 'pyarrow', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(shipped / "models/export"), str(shipped / "images/one/01.png")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_names_that_no_terminal_prints_are_printed(bundle: Bundle, shipped: Path, tmp_path: Path) -> None:
    odd = tmp_path / "b\udcff\nü.png"
    shutil.copy(shipped / "images/zero/00.png", odd)
    done = command(shipped / "models/export", odd, cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["path"] == str(odd)


def test_batches_end_where_they_like(
    bundle: Bundle, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted((shipped / "images").rglob("0*.png"))
    paths.insert(4, tmp_path / "nowhere.png")
    whole = list(predict_files(bundle, paths))
    monkeypatch.setattr(predict, "BATCH", 3)
    parts = list(predict_files(bundle, paths))
    assert [found.path for found in parts] == [str(path) for path in paths]
    assert isinstance(parts[4], Refusal)
    for one, other in zip(whole, parts, strict=True):
        if isinstance(one, Answer):
            assert isinstance(other, Answer)
            assert one.label == other.label
            assert one.confidence == pytest.approx(other.confidence, abs=1e-5)


def test_it_reads_no_further_than_it_must(bundle: Bundle, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: a stream without end is answered as it comes."""
    asked = 0

    def endless() -> Iterator[Path]:
        nonlocal asked
        while True:
            asked += 1
            yield shipped / "images/one/00.png"

    monkeypatch.setattr(predict, "BATCH", 4)
    found = predict_files(bundle, endless())
    for _ in range(5):
        assert isinstance(next(found), Answer)
    assert asked == 8


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_is_answered(bundle: Bundle, tmp_path: Path, mode: str) -> None:
    path = tmp_path / f"picture.{'tiff' if mode in ('CMYK', 'I;16') else 'png'}"
    Image.new(mode, (31, 17)).save(path)
    (found,) = predict_files(bundle, [path])
    assert isinstance(found, Answer)
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
