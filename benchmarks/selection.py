"""What `train.network: auto` chooses for data sets of many kinds, and whether a fixed preset does better.

Measures, for each set of `benchmarks.sets` (or any other source) and each contestant, test accuracy with its interval, and
seconds of `select` and `train`; the line runs as far as `evaluate`, in one copy of the repository for each set. Contestants:
`auto` (params.yaml as it is), `default` (`small_image_net`, what was trained before there was a choice), and the presets. Each
is shown with how many points it is better than `auto` on the same test images, and the interval of the paired difference
(Agresti and Min 2005). A set that Darkroom refuses is shown with the message.

    python -m benchmarks.sets SETS --photographs imagenet-200.zip --signs sign-digits.zip --cifar10 cifar10.zip --fashion
    python -m benchmarks.selection SETS/*.zip
    python -m benchmarks.selection SETS/icons.zip --contestants auto photographs
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ruamel.yaml import YAML

from benchmarks.repository import ROOT, copy_repository, run, source_settings, stage_seconds, temporary_home
from benchmarks.rounds import print_table
from darkroom.inference.predictions import read_predictions
from darkroom.statistics.intervals import wilson
from darkroom.statistics.paired import accuracy_difference

AUTO, DEFAULT = "auto", "default"
PRESETS = ("photographs", "fine-tune", "small-images")
# What is not asked here, and takes long.
FIXED = {"evaluate": {"robustness_images": 0}, "export": {"tflite": False}}


@dataclass(frozen=True)
class Result:
    """Of a contestant: which test images it names right, bool [N]; seconds of select and train; what was trained, in words."""

    right: npt.NDArray[np.bool_]
    seconds: float
    trained: str


def contestant(name: str) -> dict[str, dict[str, Any]]:
    """The settings of a contestant, section → key → value."""
    if name == AUTO:
        return {}
    if name == DEFAULT:
        return {"train": {"network": "small_image_net"}}
    content: dict[str, dict[str, Any]] = YAML(typ="safe").load(
        (ROOT / f"presets/{name}.yaml").read_text(encoding="utf-8")
    )
    return content


def set_params(repository: Path, committed: str, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """The committed `params.yaml` with other values for some settings."""
    yaml = YAML()
    params = yaml.load(committed)
    for wanted in (settings, FIXED):
        for section, values in wanted.items():
            params[section].update(values)
    yaml.dump(params, repository / "params.yaml")


def result(repository: Path) -> Result:
    """Of the line that has just run as far as `evaluate`."""
    predictions = read_predictions(repository / "data/predict")
    seconds = stage_seconds(repository)
    spec = json.loads((repository / "models/train/model.json").read_text(encoding="utf-8"))
    trained = f"{spec['network']}, {spec['weights']}"
    choice = json.loads((repository / "models/select/choice.json").read_text(encoding="utf-8"))
    if choice["settings"]:
        trained = f"{', '.join(f'{key}={value}' for key, value in choice['settings'].items())}: {choice['reason']}"
    test = predictions.test
    return Result(test.answers.argmax(1) == test.labels, seconds.get("select", 0) + seconds["train"], trained)


def results(source: Path, names: list[str]) -> Iterator[tuple[str, Result | str]]:
    """Each contestant's result on a set, or why it was refused."""
    with temporary_home() as home:
        repository = home / "line"
        copy_repository(repository, source_settings(source, source.resolve()))
        committed = (repository / "params.yaml").read_text(encoding="utf-8")
        for name in names:
            set_params(repository, committed, contestant(name))
            try:
                run(repository, "dvc", "repro", "evaluate")
            except SystemExit as refused:
                yield name, str(refused)
            else:
                yield name, result(repository)


def row(name: str, found: Result, auto: Result | None) -> tuple[str, ...]:
    """Accuracy, points better than auto with the interval, seconds."""
    right, images = int(found.right.sum()), len(found.right)
    low, high = wilson(right, images, 0.95)
    better = ""
    if auto and name != AUTO:
        lost, won = int((auto.right & ~found.right).sum()), int((found.right & ~auto.right).sum())
        estimate = accuracy_difference(lost, won, images, 0.95)
        better = f"{100 * estimate.value:+.2f} ({100 * estimate.low:+.2f} to {100 * estimate.high:+.2f})"
    return (
        name,
        f"{right / images:.2%} ({float(low):.2%} to {float(high):.2%})",
        better,
        f"{found.seconds:.1f}",
        found.trained,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "sources", type=Path, nargs="+", metavar="SET", help="zips with train/ and test/, or other sources"
    )
    parser.add_argument(
        "--contestants", nargs="+", default=[AUTO, DEFAULT, *PRESETS], choices=[AUTO, DEFAULT, *PRESETS]
    )
    chosen = parser.parse_args()
    for source in chosen.sources:
        start, found = time.perf_counter(), {}
        for name, each in results(source, chosen.contestants):
            if isinstance(each, str):
                print(f"{source.stem}, {name} is refused:\n{each[-1500:]}", flush=True)
            else:
                found[name] = each
        if not found:
            continue
        print(
            f"{source.stem}, {len(next(iter(found.values())).right):,} test images, {time.perf_counter() - start:.0f} s\n"
        )
        rows = [row(name, each, found.get(AUTO)) for name, each in found.items()]
        print_table(("", "test accuracy (95%)", "points better than auto", "select + train, s", "trained"), rows)


if __name__ == "__main__":
    main()
