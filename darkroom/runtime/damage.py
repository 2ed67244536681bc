"""Which file of an earlier stage is damaged, looked for when a stage has stopped with an error that names none."""

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import INGEST, INPUTS
from darkroom.runtime.text import printable

# What files of the line end in; no folder does.
FILES = (".parquet", ".json", ".npy", ".bin", ".safetensors", ".onnx")


@contextmanager
def damaged_inputs(stage: str) -> Iterator[None]:
    """Turn an error of a stage into a message with the file that it comes from, where one of its inputs can't be read.

    Raises:
        DarkroomError: in place of the error, with the stage that makes the file.
    """
    try:
        yield
    except DarkroomError:
        raise
    except Exception:
        for path in INPUTS.get(stage, ()):
            if found := _damaged(path):
                file, reason = found
                maker = Path(*file.parts[:2])
                raise DarkroomError(
                    f"{file} is damaged ({reason}): remove {maker}, and `dvc repro {maker.name}` makes it again"
                ) from None
        raise


def _damaged(path: Path) -> tuple[Path, str] | None:
    if not path.suffix and path.is_file():
        return path, "it is a file, and should be a folder"
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_dir():
            if file.suffix in FILES:
                return file, "it is a folder, and should be a file"
            continue
        try:
            _read(file)
        except Exception as error:
            return file, " ".join(str(error).split())
    return _damaged_shard(path) if path == INGEST and (path / "manifest").is_dir() else None


def _damaged_shard(ingest: Path) -> tuple[Path, str] | None:
    """A file of image bytes that does not have the bytes that the manifest says; each is read whole."""
    import pyarrow.parquet as pq

    columns = ["shard", "offset", "bytes", "sha256", "path"]
    images = pq.read_table(ingest / "manifest", columns=columns).sort_by([("shard", "ascending")]).to_pylist()
    for name, of_shard in groupby(images, key=lambda image: image["shard"]):
        file = ingest / "shards" / f"{name}.bin"
        content = file.read_bytes() if file.is_file() else b""
        for image in of_shard:
            part = content[image["offset"] : image["offset"] + image["bytes"]]
            if hashlib.sha256(part).hexdigest() != image["sha256"]:
                return file, f"it does not have the bytes of {printable(image['path'])}"
    return None


def _read(file: Path) -> None:
    # Here: most stages need not all of them, and none needs them twice.
    if file.suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.read_table(file)
    elif file.suffix == ".json":
        json.loads(file.read_text(encoding="utf-8"))
    elif file.suffix == ".npy":
        import numpy as np

        np.load(file, mmap_mode="r", allow_pickle=False)
    # A stage that stopped over a graph has the package; an import here would make it a part of every stage.
    elif file.suffix == ".onnx" and (onnx := sys.modules.get("onnx")):
        onnx.load(file)
