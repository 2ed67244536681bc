"""`python -m darkroom.predict`, as it is typed."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darkroom.bundle.bundle import load_bundle
from darkroom.monitoring.keyed import LogKey
from darkroom.monitoring.prediction_log import log_parts, read_prediction_log
from darkroom.monitoring.properties import properties
from darkroom.runtime.files import file_hash
from darkroom.runtime.text import csv_value
from tests.conftest import ROOT


def command(*arguments: object, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "darkroom.predict", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_line_for_each_image_of_a_folder(shipped: Path, tmp_path: Path) -> None:
    done = command(shipped / "models/export", shipped / "images/one", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == sorted(
        str(path) for path in (shipped / "images/one").iterdir()
    )


def test_a_log_has_the_rows_of_a_service(shipped: Path, tmp_path: Path) -> None:
    bundle, folder = shipped / "models/export", tmp_path / "log"
    done = command(bundle, shipped / "images/one", "nowhere.png", "--json", "--log", folder, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()][:-1]
    (table,) = read_prediction_log(folder)
    assert [path.suffix for path in log_parts(folder)] == [".parquet"]
    preprocessing, hashed = load_bundle(bundle).preprocessing, LogKey(folder).hash
    for row, answer in zip(table.to_pylist(), answers, strict=True):
        assert (row["label"], row["abstained"]) == (answer["label"], answer["abstains"])
        assert row["probabilities"] == pytest.approx(list(answer["probabilities"].values()), abs=1e-7)
        assert row["image"] == hashed(file_hash(Path(answer["path"])))
        measured = properties(Path(answer["path"]).read_bytes(), preprocessing)
        assert {name: row[name] for name in measured} == pytest.approx(measured, rel=1e-6)
    assert len(set(table["request"].to_pylist())) == 1 and set(table["session"].to_pylist()) == {None}
    assert set(table["bundle"].to_pylist()) == {file_hash(bundle / "bundle.json")}


def test_json_and_a_graph_by_name_and_a_bad_image(shipped: Path, tmp_path: Path) -> None:
    image = shipped / "images/zero/00.png"
    bundle = shipped / "models/export"
    done = command(bundle, image, "nowhere.png", "--json", "--graph", "model.onnx", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["path"], set(first["probabilities"])) == (str(image), {"one", "zero", "été"})
    assert second == {"path": "nowhere.png", "error": "can't be read: No such file or directory"}


def test_a_table_of_a_list_on_standard_input_with_heat_maps(shipped: Path, tmp_path: Path) -> None:
    images = [shipped / f"images/{name}/00.png" for name in ("one", "zero")]
    options = ("--csv", "--top-k", "2", "--explain", "out")
    done = command(shipped / "models/export", "-", *options, cwd=tmp_path, stdin="\n".join(map(str, images)))
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["path"] for row in rows] == [str(image) for image in images]
    assert all(float(row["probability_1"]) >= float(row["probability_2"]) for row in rows)
    assert [row["heatmap"] for row in rows] == ["out/00001-00.png", "out/00002-00.png"]
    for row in rows:
        with Image.open(tmp_path / row["heatmap"]) as picture:
            assert picture.mode == "RGB"
            assert np.ptp(np.asarray(picture)) > 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--graph", "model.json"), "holds no graph model.json: it has model.onnx"),
        (("--top-k", "0"), "0 is not a count of classes"),
        (("--json", "--csv"), "not allowed with"),
        (("--explain", __file__), "can't hold heat maps: File exists"),
        (("--explain", "/proc"), "/proc can't hold heat maps: No such file or directory; give another folder"),
        (("--explain", ""), "an empty name: give a folder"),
        (("--log", __file__), "can't be written: File exists; give another folder"),
    ],
)
def test_a_mistake_is_a_message_and_no_traceback(
    shipped: Path, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    done = command(shipped / "models/export", shipped / "images/zero/00.png", *options, cwd=tmp_path)
    assert done.returncode != 0 and done.stdout == ""
    assert says in done.stderr and "Traceback" not in done.stderr


def test_a_full_disk_is_a_message_and_no_traceback(shipped: Path, tmp_path: Path) -> None:
    arguments = [shipped / "models/export", shipped / "images/zero/00.png"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "darkroom.predict", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the predictions can't be written to standard output: No space left")
    assert len(done.stderr.splitlines()) == 1


def test_no_standard_output_is_a_message_before_anything_is_opened(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m darkroom.predict nowhere a.png >&-"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: standard output is closed: the predictions have nowhere to go; send them to a file or a pipe\n"
    )


def test_a_long_name_has_a_heat_map(shipped: Path, tmp_path: Path) -> None:
    image = Path(shutil.copy(shipped / "images/zero/00.png", tmp_path / ("\N{CAMERA}" * 62 + ".png")))
    done = command(shipped / "models/export", image, "--explain", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_changed_bundle_is_one_message_and_no_traceback(shipped: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shipped / "models/export", tmp_path / "bundle"))
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0")
    done = command("bundle", shipped / "images/zero/00.png", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: bundle/model.onnx was changed: its SHA-256 is ")
    assert len(done.stderr.splitlines()) == 1


def test_neither_torch_nor_tables_are_imported(shipped: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['predict', *sys.argv[1:]]; from darkroom.predict.__main__ import main; main()\n"
        "print(sorted({'torch', 'pandas', 'pyarrow', 'onnx', 'scipy', 'sklearn', 'jinja2'} & set(sys.modules)))"
    )
    bundle, image = shipped / "models/export", shipped / "images/one/01.png"
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundle), str(image), "--explain", "out"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_name_that_is_no_text_is_printed_with_an_escape(shipped: Path, tmp_path: Path) -> None:
    odd = tmp_path / "b\udcff.png"
    shutil.copy(shipped / "images/zero/00.png", odd)
    done = subprocess.run(
        [sys.executable, "-m", "darkroom.predict", str(shipped / "models/export"), odd, "--csv"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    assert csv_value(done.stdout.decode().splitlines()[1].split(",")[0]) == str(odd)
