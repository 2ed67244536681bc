"""Measures what `quantize` makes of four networks, beside OpenVINO's INT8 by nncf on the same graph.

Each network is trained as the train stage does it, on as many training images as are asked for, and kept in OUT: a second call
trains nothing. Then the quantize stage runs with the settings of params.yaml, and its graphs meet OpenVINO (a process
of its own, `benchmarks.compression_peers`), which quantizes the same float graph with the same calibration images. Accuracy
is that of 5,000 images of the test split, by which nothing here has chosen; the loss beside ONNX Runtime's float is paired,
with its 95% interval. Milliseconds are medians over rounds in turns of one image at a time, one thread each. OpenVINO's
float is told twice: in float32, and as it chooses, which is bfloat16 where the processor multiplies that in hardware.

    python -m benchmarks.compression RUN OUT --peer-python PYTHON_WITH_PEERS      # RUN holds data/ of CIFAR-10; 40 minutes
    python -m benchmarks.compression RUN OUT --networks resnet18 --peer-python PYTHON_WITH_PEERS
"""

import argparse
import functools
import json
import platform
import shutil
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks.compression_peers import FILES
from benchmarks.own_training import default_settings
from benchmarks.peers import Peers
from benchmarks.repository import ROOT
from benchmarks.rounds import Contestant, in_turns, print_table
from darkroom.compression.int8 import calibration_rows
from darkroom.compression.parity import Parity, compare, loss_interval
from darkroom.images.pack import Packed, load_packed
from darkroom.inference.session import INPUT, OUTPUT, open_session, probabilities
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.cores import usable_cores
from darkroom.settings.read import read_params
from darkroom.statistics.temperature import Calibration
from darkroom.training.choices import is_transformer
from stages import quantize, train

NETWORKS = ("resnet18", "timm/tf_efficientnet_lite0", "mobilenet_v3_small", "timm/vit_tiny_patch16_224")
EPOCHS, TRAINED_ON, BATCH, TESTED = 6, 10_000, 48, 5_000
THREADS, CALLS, ROUNDS = 1, 20, 15
HEADER = ("", "accuracy", "loses, points (95%)", "ms", "times float", "MB")


def few(run: Path, images: int, folder: Path) -> Path:
    """The arrays of a line with fewer training images; the other splits whole."""
    arrays = folder / "preprocess"
    if not arrays.exists():
        shutil.copytree(run / "data/preprocess", arrays)
        for name in ("images", "labels", "ids"):
            path = arrays / "train" / f"{name}.npy"
            whole = np.load(path)
            count = min(images, len(whole))
            # An even sample: the rows stand in the order of the classes.
            np.save(path, whole[np.arange(count) * len(whole) // count])
    return arrays


def trained(network: str, run: Path, arrays: Path, folder: Path, epochs: int) -> Path:
    """The folder with a network's weights, trained where it is not there."""
    model = folder / "train"
    if not model.exists():
        # Small batches, so that few images make steps enough.
        changed = {"epochs": epochs, "patience": epochs, "batch_size": BATCH, "albumentations": []}
        settings = default_settings(network).model_copy(update=changed)
        splits = run / "data/split/splits.parquet"
        train.run(
            settings=settings,
            ingest=run / "data/ingest",
            splits=splits,
            arrays=arrays,
            out=model,
            reports=folder / "reports",
            checkpoints=folder / "checkpoints",
        )
    return model


def compressed(model: Path, arrays: Path, folder: Path) -> Path:
    """The folder that the quantize stage writes, with the settings of params.yaml."""
    out, settings = folder / "quantize", read_params(ROOT / "params.yaml").quantize
    # The temperature moves no answer.
    Calibration(1.0, None, 0.5, 1.0, 0.5, 0.0, 1.0, 1).save(folder / "calibration.json")
    quantize.run(
        model=model,
        calibration=folder / "calibration.json",
        arrays=arrays,
        out=out,
        reports=folder / "reports/quantize",
        **settings.model_dump(),
    )
    return out


def tested(arrays: Path) -> Packed:
    """An even sample of the test split, read from the disk once."""
    test = load_packed(arrays / "test")
    rows = np.arange(min(TESTED, len(test.labels))) * len(test.labels) // min(TESTED, len(test.labels))
    return Packed(np.asarray(test.images[rows]), test.labels[rows], test.ids[rows])


def hand_over(graph: Path, arrays: Path, test: Packed, folder: Path) -> Path:
    """A folder with what the peers read."""
    handed, split = folder / "peers", load_packed(arrays / "train")
    handed.mkdir(exist_ok=True)
    shutil.copy(graph, handed / "model.onnx")
    rows = calibration_rows(split.keys(), read_params(ROOT / "params.yaml").quantize.calibration_images)
    np.save(handed / "calibration.npy", split.images[rows])
    np.save(handed / "images.npy", np.asarray(test.images))
    return handed


def call_seconds(session: onnxruntime.InferenceSession, image: np.ndarray) -> float:
    """The median of some calls, one after the other, as the peers measure it."""
    taken = []
    for _ in range(CALLS):
        start = time.perf_counter()
        session.run([OUTPUT], {INPUT: image})
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def row(name: str, parity: Parity, seconds: float, of_float: float, size: int, first: bool) -> tuple[str, ...]:
    low, high = (100 * end for end in loss_interval(parity, 0.95))
    loss = "" if first else f"{100 * parity.accuracy_loss:.2f} ({low:.2f} to {high:.2f})"
    return (
        name,
        f"{parity.accuracy_after:.2%}",
        loss,
        f"{1e3 * seconds:.2f}",
        f"{of_float / seconds:.2f}x",
        f"{size / 1e6:.2f}",
    )


def beside(network: str, out: Path, arrays: Path, folder: Path, peer_python: str) -> None:
    """Measure the graphs of the quantize stage and the peers' in turns, and print the table."""
    test = tested(arrays)
    verdict = json.loads((out / "verdict.json").read_text(encoding="utf-8"))
    graphs = {f"ours, {name}": out / found["file"] for name, found in verdict["candidates"].items()}
    reference, *_ = graphs
    handed = hand_over(graphs[reference], arrays, test, folder)
    settings = json.dumps({"transformer": is_transformer(network), "threads": THREADS, "calls": CALLS})
    with Peers(peer_python, "benchmarks.compression_peers", str(handed), settings) as peers:
        contestants: dict[str, Contestant] = {
            name: functools.partial(call_seconds, open_session(path, THREADS), test.images[:1])
            for name, path in graphs.items()
        }
        contestants |= {name: peers.contestant(name) for name in FILES}
        seconds = {name: statistics.median(taken) for name, taken in in_turns(contestants, ROUNDS).items()}
        print(f"\n{network}, {test.images.shape[1]} px, {len(test.labels):,} test images; {peers.versions}")
    answers: dict[str, Float32s] = {
        name: probabilities(open_session(path), test.images) for name, path in graphs.items()
    }
    answers |= {name: np.load(handed / f"{file}.npy") for name, file in FILES.items()}
    sizes = {name: path.stat().st_size for name, path in graphs.items()}
    whole = sum((handed / f"openvino.{end}").stat().st_size for end in ("xml", "bin"))
    sizes |= {name: whole if file == "openvino" else sizes[reference] for name, file in FILES.items()}
    found = {name: compare(answers[reference], rows, test.labels) for name, rows in answers.items()}
    print_table(
        HEADER,
        [row(name, found[name], seconds[name], seconds[reference], sizes[name], name == reference) for name in answers],
    )
    print(f"ours chooses {verdict['choice']}: {verdict['reason']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="a line that has run as far as preprocess")
    parser.add_argument("out", type=Path, metavar="OUT", help="where the trained networks and their graphs are kept")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NETWORK")
    parser.add_argument("--images", type=int, default=TRAINED_ON, help="that are trained on")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has openvino and nncf (this one)")
    chosen = parser.parse_args()
    print(f"onnxruntime {onnxruntime.__version__}, {platform.machine()}, {usable_cores()} cores, {THREADS} thread")
    arrays = few(chosen.run, chosen.images, chosen.out)
    for network in chosen.networks:
        folder = chosen.out / network.rpartition("/")[2]
        model = trained(network, chosen.run, arrays, folder, chosen.epochs)
        beside(network, compressed(model, arrays, folder), arrays, folder, chosen.peer_python)


if __name__ == "__main__":
    main()
