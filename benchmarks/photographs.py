"""Photographs: the whole line beside what people train with, on the same images, from the same ImageNet weights.

Measures, for ours, the wall time of `make run IMAGES=…` in a fresh copy of the repository, nothing else typed: from the first
stage to the bundle with TFLite and the pages, starting make and recording the experiment too; and its test accuracy. For the
others (`benchmarks.photographs_peers`, each in a process of its own): seconds from the start of the process to a trained model,
and accuracy on the same test images; they evaluate, compress and export nothing, and their test images are outside of the
clock. All get the line's own split. Logistic regression trains on training and validation images together, since it chooses
nothing; the others validate on the validation images. Where they take weights, they get those of EfficientNet-Lite0;
Ultralytics takes only its own, which have to be downloaded, and starts from nothing. Epochs of timm and fastai are `--epochs`;
Ultralytics and AutoGluon take a time, which is `--times` that of ours. With several seeds (of the split), seconds are medians
and test images are counted together.

    python -m benchmarks.photographs sign-digits.zip --peer-python PYTHON --autogluon-python ANOTHER_PYTHON
    python -m benchmarks.photographs sign-digits.zip --only line --seeds 0 1 2
    python -m benchmarks.photographs sign-digits.zip --line FINISHED --peer-python PYTHON --only fastai
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.photographs_peers import CONTESTANTS, NETWORK, WEIGHTS
from benchmarks.repository import ROOT, copy_repository, stage_seconds, temporary_home
from benchmarks.rounds import print_table
from darkroom.images.manifest import read_manifest
from darkroom.images.shards import read_shards
from darkroom.network.weight_files import published_weights
from darkroom.runtime.inputs import read_input_table
from darkroom.runtime.vision import load_timm
from darkroom.statistics.intervals import wilson

LINE = "line"
# The names that the peers know the splits by.
PARTS = {"train": "train", "validation": "val", "test": "test"}
# Lines of a peer's output that are shown when it fails.
SHOWN = 15


@dataclass(frozen=True)
class Found:
    """What a contestant came to for one seed; `right` of `images` test images; `told`: weights and versions."""

    seconds: float
    right: int
    images: int
    told: str


def run_line(source: Path, folder: Path, seed: int, venv_tflite: Path) -> float:
    """`make run` in a fresh copy of the repository: seconds.

    Raises:
        SystemExit: with what it printed, when it fails.
    """
    copy_repository(folder, {})
    settings = [f"SET=split.seed={seed}"] if seed else []
    environments = [f"VENV={sys.prefix}", f"VENV_TFLITE={venv_tflite.resolve()}"]
    start = time.perf_counter()
    made = subprocess.run(
        ["make", "run", f"IMAGES={source.resolve()}", *settings, *environments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if made.returncode:
        raise SystemExit(f"error: make run failed:\n{made.stdout[-4000:]}{made.stderr[-4000:]}")
    stages = {name: value for name, value in stage_seconds(folder).items() if value >= 0.05}
    print("; ".join(f"{name} {value:.1f}" for name, value in stages.items()), f"s, seed {seed}", flush=True)
    return seconds


def result_of(line: Path, seconds: float) -> Found:
    """What a line that has run says of its test images."""
    metrics = json.loads((line / "reports/evaluate/metrics.json").read_text(encoding="utf-8"))
    spec = json.loads((line / "models/train/model.json").read_text(encoding="utf-8"))
    images = metrics["test"]["images"]
    return Found(seconds, round(metrics["test"]["accuracy"] * images), images, f"{spec['network']}, {spec['weights']}")


def hand_over(line: Path, folder: Path) -> None:
    """The images of a line as files, `folder/<part>/<class>/<id>.<suffix>`, and the weights under timm's names."""
    table = read_input_table(line / "data/split/splits.parquet", ["id", "split"])
    parts = dict(zip(*(column.to_pylist() for column in table.columns), strict=True))
    manifest = read_manifest(line / "data/ingest", ["id", "path", "label", "shard", "offset", "bytes"])
    rows = [row for row in manifest.to_pylist() if parts[row["id"]] in PARTS]
    places = [(row["shard"], row["offset"], row["bytes"]) for row in rows]
    for row, content in zip(rows, read_shards(line / "data/ingest/shards", places), strict=True):
        target = folder / PARTS[parts[row["id"]]] / row["label"] / f"{row['id']}{Path(row['path']).suffix.lower()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    network = load_timm().create_model(NETWORK)
    tensors, _ = published_weights(network, f"timm/{NETWORK}", fetch=False)
    torch.save(tensors, folder / WEIGHTS)


def peer(name: str, python: str, folder: Path, epochs: int, limit: float) -> Found | None:
    """One of `CONTESTANTS` in a process of its own; None, with the end of what it printed, when it fails."""
    script = ROOT / "benchmarks/photographs_peers.py"
    command = [python, str(script), name, str(folder), f"--epochs={epochs}", f"--limit={limit}"]
    # Its own temporary folder: fastai and others leave files where they stand.
    with tempfile.TemporaryDirectory() as here:
        ran = subprocess.run(
            command, cwd=here, env=os.environ | {"HOME": here}, capture_output=True, text=True, check=False
        )
    if ran.returncode:
        print(f"{name} failed:\n" + "\n".join((ran.stdout + ran.stderr).splitlines()[-SHOWN:]), flush=True)
        return None
    found = json.loads(ran.stdout.splitlines()[-1])
    return Found(found["seconds"], found["right"], found["images"], f"{found['origin']}; {found['versions']}")


def row(name: str, found: list[Found], ours: list[Found]) -> tuple[str, ...]:
    """Median seconds, accuracy over all test images with its 95% interval, ours beside it."""
    right, images = sum(one.right for one in found), sum(one.images for one in found)
    low, high = wilson(right, images, 0.95)
    seconds = statistics.median(one.seconds for one in found)
    beside = "" if found is ours else f"{seconds / statistics.median(one.seconds for one in ours):.2f}x"
    accuracy = f"{right / images:.2%} ({float(low):.2%} to {float(high):.2%})"
    return name, f"{seconds:,.1f}", accuracy, f"{right} of {images}", beside, found[0].told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="PHOTOGRAPHS", help="a folder, an archive or a table")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has the peers (this one)")
    parser.add_argument("--autogluon-python", help="a Python that has AutoGluon (left out without)")
    parser.add_argument("--only", nargs="+", choices=(LINE, *CONTESTANTS), help="these, and the line")
    parser.add_argument(
        "--line", type=Path, help="a line that has run with the default seed, in place of one that is run"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the split (0)")
    parser.add_argument("--epochs", type=int, default=5, help="of timm and fastai (5)")
    parser.add_argument(
        "--times", type=float, default=5.0, help="seconds of ours that Ultralytics and AutoGluon get (5)"
    )
    parser.add_argument("--venv-tflite", type=Path, default=ROOT / ".venv-tflite", help="the converter's environment")
    chosen = parser.parse_args()
    names = [name for name in CONTESTANTS if name in (chosen.only or CONTESTANTS)]
    if not chosen.autogluon_python and "autogluon" in names:
        names.remove("autogluon")
        print("autogluon is left out: --autogluon-python names no environment")
    pythons = dict.fromkeys(names, chosen.peer_python) | {"autogluon": chosen.autogluon_python}
    found: dict[str, list[Found]] = {name: [] for name in (LINE, *names)}
    for seed in chosen.seeds:
        with temporary_home() as home:
            line = chosen.line or home / "line"
            seconds = (
                sum(stage_seconds(line, forget=False).values())
                if chosen.line
                else run_line(chosen.source, line, seed, chosen.venv_tflite)
            )
            found[LINE].append(result_of(line, seconds))
            hand_over(line, home / "photographs")
            for name in names:
                result = peer(name, pythons[name], home / "photographs", chosen.epochs, chosen.times * seconds)
                found[name] += [result] if result else []
    ours = found[LINE]
    print_table(
        ("", "seconds", "test accuracy (95%)", "right", "of ours", "started from"),
        [row(name, results, ours) for name, results in found.items() if results],
    )


if __name__ == "__main__":
    main()
