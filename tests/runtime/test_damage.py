"""A stage that stops over a damaged file of an earlier one names the file and the stage that makes it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx  # noqa: F401 (as the stage that stopped has it)
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.runtime.damage import damaged_inputs
from darkroom.runtime.errors import DarkroomError


def stop(stage: str) -> None:
    with damaged_inputs(stage):
        raise ValueError("something is wrong")


def test_the_damaged_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("data/ingest", "data/split", "data/preprocess"):
        Path(folder).mkdir(parents=True)
    pq.write_table(pa.table({"id": ["a"]}), "data/split/splits.parquet")
    Path("data/ingest/classes.json").write_text(json.dumps(["a"]))
    np.save("data/preprocess/images.npy", np.zeros(10))
    with pytest.raises(ValueError, match="something is wrong"):
        stop("predict")
    content = Path("data/preprocess/images.npy").read_bytes()
    Path("data/preprocess/images.npy").write_bytes(content[:-1])
    with pytest.raises(
        DarkroomError, match=r"^data/preprocess/images\.npy is damaged \(.*\): remove data/preprocess, and"
    ):
        stop("predict")
    Path("data/split/splits.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        DarkroomError, match=r"^data/split/splits\.parquet is damaged \(.*`dvc repro split` makes it again$"
    ):
        stop("predict")
    Path("data/ingest/classes.json").write_text('["a"')
    with pytest.raises(
        DarkroomError, match=r"^data/ingest/classes\.json is damaged \(.*`dvc repro ingest` makes it again$"
    ):
        stop("predict")


def test_a_file_in_the_place_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/ingest").write_text("")
    with pytest.raises(DarkroomError, match=r"^data/ingest is damaged \(it is a file, and should be a folder\)"):
        stop("validate")


def test_a_folder_in_the_place_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/ingest/manifest/a.parquet").mkdir(parents=True)
    with pytest.raises(
        DarkroomError, match=r"^data/ingest/manifest/a\.parquet is damaged \(it is a folder, and should"
    ):
        stop("validate")


def test_image_bytes_that_are_not_those_of_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/ingest/manifest").mkdir(parents=True)
    Path("data/ingest/shards").mkdir()
    contents = [b"first", b"second"]
    pq.write_table(
        pa.table(
            {
                "path": ["cat/1.png", "cat/2.png"],
                "shard": ["s", "s"],
                "offset": [0, 5],
                "bytes": [5, 6],
                "sha256": [hashlib.sha256(content).hexdigest() for content in contents],
            }
        ),
        "data/ingest/manifest/s.parquet",
    )
    shard = Path("data/ingest/shards/s.bin")
    shard.write_bytes(b"".join(contents))
    with pytest.raises(ValueError, match="something is wrong"):
        stop("export")
    for content in (b"firstsec", b"firstXecond"):
        shard.write_bytes(content)
        with pytest.raises(
            DarkroomError, match=rf"^{shard} is damaged \(it does not have the bytes of cat/2\.png\): rem"
        ):
            stop("export")


def test_a_graph_that_is_no_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models/quantize").mkdir(parents=True)
    Path("models/quantize/model.onnx").write_bytes(b"\xff" * 50)
    with pytest.raises(
        DarkroomError, match=r"^models/quantize/model\.onnx is damaged \(.*`dvc repro quantize` makes it"
    ):
        stop("export")
