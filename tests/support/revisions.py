"""Two versions of a tiny data set in a real repository: git, DVC and a remote, with tables as the stages would write them."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from sklearn.datasets import load_digits

from darkroom.images.decode import decode
from darkroom.images.manifest import MANIFEST, REJECTS
from darkroom.images.measure import fingerprint
from darkroom.model.classes import ClassList
from darkroom.model.provenance import data_version

OUTPUTS = ("data/ingest", "data/validate", "data/split", "reports/evaluate")
DVC = (sys.executable, "-m", "dvc")


@dataclass(frozen=True)
class Kept:
    """An image, its place and its group; without a group of its own it is one with the same bytes."""

    path: str
    label: str
    split: str
    data: bytes
    group: str = ""


def digit(number: int) -> bytes:
    """The PNG file of one of scikit-learn's digits, 8 x 8 grey pixels."""
    pixels = np.round(load_digits().images[number] * (255 / 16)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


A, B, C, D, E = (digit(number) for number in range(5))
FIRST = [
    Kept("cat/a.png", "cat", "train", A),
    Kept("cat/b.png", "cat", "test", B),
    Kept("dog/c.png", "dog", "train", C),
    Kept("dog/d.png", "dog", "test", D),
]
# a is relabelled, b moved, c removed, e added, and a copy of d under the other label.
SECOND = [
    Kept("cat/b.png", "cat", "train", B),
    Kept("cat/d.png", "cat", "test", D),
    Kept("dog/a.png", "dog", "train", A),
    Kept("dog/d.png", "dog", "test", D),
    Kept("dog/e.png", "dog", "train", E),
]
SCORES = {"accuracy": 0.75, "accuracy_low": 0.5, "accuracy_high": 1.0, "images": 2}


def write_version(
    folder: Path,
    images: list[Kept],
    classes: tuple[str, ...],
    rejects: dict[str, str],
    scores: dict[str, float] | None,
    parts: int = 2,
) -> None:
    """Write `OUTPUTS` under `folder`: the last of them only where there are scores.

    Args:
        images: two or more, in any order.
        rejects: path → reason.
        scores: of the test split.
        parts: of the manifest; 0 writes it in one file without the later columns, as it was first.
    """
    for output in OUTPUTS[: 4 if scores else 3]:
        (folder / output).mkdir(parents=True)
    ingest = folder / OUTPUTS[0]
    (ingest / "shards").mkdir()
    images = sorted(images, key=lambda image: image.path)
    rows = [_row(image) for image in images]
    # Two shards, each of a half.
    middle = len(images) // 2
    for half in (slice(middle), slice(middle, None)):
        shard, content = rows[half][0]["id"], b""
        for row, kept in zip(rows[half], images[half], strict=True):
            row |= {"shard": shard, "offset": len(content)}
            content += kept.data
        (ingest / "shards" / f"{shard}.bin").write_bytes(content)
    manifest = pa.Table.from_pylist(rows, MANIFEST)
    if parts:
        (ingest / "manifest").mkdir()
        for part in range(parts):
            table = manifest.take(list(range(part, len(manifest), parts)))
            pq.write_table(table, ingest / "manifest" / f"{part:016x}.parquet")
    else:
        first = manifest.drop_columns(["group", "timestamp", "frames", "contrast"])
        pq.write_table(first, ingest / "manifest.parquet")
    rejected = [{"path": path, "bytes": 0, "reason": reason} for path, reason in rejects.items()]
    pq.write_table(pa.Table.from_pylist(rejected, REJECTS), ingest / "rejects.parquet")
    ClassList(classes).save(ingest / "classes.json")
    groups = [hashlib.sha256(image.group.encode() or image.data).hexdigest() for image in images]
    pq.write_table(pa.table({"id": manifest["id"], "group": groups}), folder / OUTPUTS[1] / "groups.parquet")
    splits = {"id": manifest["id"], "split": [image.split for image in images], "group": groups}
    pq.write_table(pa.table(splits), folder / OUTPUTS[2] / "splits.parquet")
    if scores:
        version = data_version(ingest, folder / OUTPUTS[2] / "splits.parquet")
        metrics = {"test": scores, "provenance": {"data_version": version}}
        (folder / OUTPUTS[3] / "metrics.json").write_text(json.dumps(metrics))


def _row(image: Kept) -> dict[str, object]:
    decoded = decode(image.data)
    measured = fingerprint(decode(image.data, grey=True).pixels)
    sha256 = hashlib.sha256(image.data).hexdigest()
    return {
        "id": hashlib.sha256(f"{image.path}\0{sha256}".encode()).hexdigest()[:16],
        "sha256": sha256,
        "path": image.path,
        "label": image.label,
        "width": decoded.width,
        "height": decoded.height,
        "mode": decoded.mode,
        "format": decoded.format,
        "frames": decoded.frames,
        "bytes": len(image.data),
        "brightness": measured.brightness,
        "contrast": measured.contrast,
        "sharpness": measured.sharpness,
    }


def rows(table: pd.DataFrame) -> list[list[object]]:
    content: list[list[object]] = table.to_numpy().tolist()
    return content


def command(folder: Path, *words: str) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


def two_revisions(base: Path) -> Path:
    """A repository under `base`, made once: the revisions `empty` (no data), `first` (in the first layout, no scores) and
    `second`, pushed to a remote; the workspace is `second`. Tests must not write to it.
    """
    folder = base / "two revisions"
    if not folder.exists():
        folder.mkdir()
        start_repository(folder)
        write_version(folder / "made", FIRST, ("cat", "dog"), {"cat/broken.png": "the file is empty"}, None, parts=0)
        commit_version(folder, "first")
        shutil.rmtree(folder / "made")
        rejects = {"dog/broken.png": "the file is empty"}
        write_version(folder / "made", SECOND, ("cat", "dog"), rejects, SCORES)
        commit_version(folder, "second")
        command(folder, *DVC, "push", "-q", "--all-commits")
    return folder


def start_repository(folder: Path) -> None:
    """A repository with a remote beside it, and the revision `empty`."""
    command(folder, "git", "init", "-q", "-b", "main")
    command(folder, "git", "config", "user.name", "A Tester")
    command(folder, "git", "config", "user.email", "tester@example.org")
    command(folder, *DVC, "init", "-q")
    settings = {"core.analytics": "false", "core.check_update": "false", "core.remote": "shelf"}
    text = "".join(f"    {name.split('.')[1]} = {value}\n" for name, value in settings.items())
    remote = f"['remote \"shelf\"']\n    url = {folder.with_name('shelf')}\n"
    (folder / ".dvc" / "config").write_text(f"[core]\n{text}{remote}")
    commit(folder, "empty")


def commit_version(folder: Path, name: str) -> None:
    """Have DVC take what lies under `made/`, and commit it as a revision of this name."""
    outputs = [output for output in OUTPUTS if (folder / "made" / output).exists()]
    (folder / "dvc.yaml").write_text(
        "stages:\n  make:\n    cmd: mkdir -p data reports && "
        + " && ".join(f"cp -r made/{output} {output}" for output in outputs)
        + "\n    deps: [made]\n    outs: ["
        + ", ".join(outputs)
        + "]\n"
    )
    (folder / ".gitignore").write_text("/made\n/data\n/reports\n")
    command(folder, *DVC, "repro", "-q")
    commit(folder, name)


def commit(folder: Path, name: str) -> None:
    command(folder, "git", "add", "-A")
    command(folder, "git", "commit", "-qm", name)
    command(folder, "git", "tag", name)
