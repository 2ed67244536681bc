"""Weak slices: one class darkened in the test split, and found; and how often something is found in clean data.

Measures, on a line that has run as far as `predict`: for each class in turn, its test images (or a share of them) are
darkened, the model answers them again, and `find_slices` is called as `evaluate` calls it, with the validation images beside.
Printed are the accuracy of the darkened images, and the first slice of brightness, contrast or sharpness, which
darkening multiplies, and is of that class; or the first of all. Darkness may cost a class nothing: what is to be found are
the classes that lost five points or more. Then the false alarms: the mistakes of
the undamaged images are dealt out anew among those of their class and split, so that no fact matters, and it is counted how
often anything is found; the promise is 5%.

    python -m benchmarks.slices RUN                        # RUN holds data/ and models/; two minutes
    python -m benchmarks.slices RUN --share 0.3 --factors 0.4 --draws 0
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from benchmarks.rounds import print_table
from darkroom.evaluation.slice_candidates import Column, slice_facts
from darkroom.evaluation.slices import find_slices
from darkroom.images.pack import load_packed
from darkroom.inference.device import choose_device
from darkroom.inference.logits import logits
from darkroom.inference.predictions import read_predictions
from darkroom.network.load import load_model
from darkroom.runtime.arrays import Bools, Int64s
from darkroom.statistics.intervals import wilson

# What darkening by a factor does to what ingest measures of a picture: the power of the factor.
POWERS = {"brightness": 1, "contrast": 1, "sharpness": 2}
CONFIDENCE, LEVEL = 0.95, 0.05
LOSS = 0.05


@dataclass(frozen=True)
class Answered:
    """The images of test and validation, in this order, and which of them the model predicted correctly.

    Attributes:
        facts: N values each.
        labels: int64 [N].
        correct: bool [N].
        tested: bool [N], those of test.
        names: of the classes.
    """

    facts: dict[str, Column]
    labels: Int64s
    correct: Bools
    tested: Bools
    names: tuple[str, ...]

    def weak_slices(self, facts: dict[str, Column], correct: Bools) -> list[tuple[str, str | None, str]]:
        found = find_slices(facts, self.labels, correct, self.names, CONFIDENCE, LEVEL, self.tested)
        return [(one.column, one.class_name, f"{one.words}: {one.accuracy:.0%}") for one in found]


def darkened(known: Answered, rows: Int64s, factor: float) -> dict[str, Column]:
    """The facts after these images were darkened."""
    facts = dict(known.facts)
    for column in POWERS.keys() & facts.keys():
        values = np.asarray(facts[column], np.float64).copy()
        values[rows] *= factor ** POWERS[column]
        facts[column] = values
    return facts


def shuffled(known: Answered, draw: np.random.Generator) -> Bools:
    """The same number of mistakes in each class of each split, dealt out anew."""
    correct = known.correct.copy()
    for label in range(len(known.names)):
        for tested in (True, False):
            rows = np.flatnonzero((known.labels == label) & (known.tested == tested))
            correct[rows] = draw.permutation(correct[rows])
    return correct


def plant(
    known: Answered, model: torch.nn.Module, pixels: npt.NDArray[np.uint8], share: float, factor: float
) -> tuple[list[tuple[str, ...]], list[bool]]:
    """A row for each class; and of the classes that lost by darkness, for each whether that was found."""
    rows: list[tuple[str, ...]] = []
    found: list[bool] = []
    for label, name in enumerate(known.names):
        members = np.flatnonzero((known.labels == label) & known.tested)
        dark = members[: max(1, round(share * len(members)))]
        images = np.round(pixels[dark] * np.float32(factor)).astype(np.uint8)
        correct = known.correct.copy()
        correct[dark] = logits(model, images, choose_device(), None).argmax(axis=1) == label
        slices = known.weak_slices(darkened(known, dark, factor), correct)
        hits = [one for one in slices if one[0] in POWERS and one[1] == name]
        if known.correct[dark].mean() - correct[dark].mean() >= LOSS:
            found.append(bool(hits))
        rows.append(
            (
                f"{name}, {len(dark)} images x {factor:g}",
                f"{known.correct[dark].mean():.0%}",
                f"{correct[dark].mean():.0%}",
                "yes" if hits else "no",
                next((words for *_, words in hits + slices), "nothing"),
                f"{max(0, len(slices) - 1)}",
            )
        )
    return rows, found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slices", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="a repository whose line has run")
    parser.add_argument("--share", type=float, default=1.0, help="of the class's test images that is darkened (all)")
    parser.add_argument(
        "--factors", type=float, nargs="+", default=[0.25, 0.5], help="what the pixels are multiplied by"
    )
    parser.add_argument("--draws", type=int, default=200, help="clean sets for the false alarms")
    chosen = parser.parse_args()
    model, _ = load_model(chosen.run / "models/train")
    pixels = np.asarray(load_packed(chosen.run / "data/preprocess/test").images)
    predictions = read_predictions(chosen.run / "data/predict")
    splits = predictions.test, predictions.validation
    labels = np.concatenate([split.labels for split in splits])
    known = Answered(
        facts=slice_facts(pa.concat_tables([split.rows for split in splits]), predictions.run.classes),
        labels=labels,
        correct=np.concatenate([split.answers.argmax(axis=1) for split in splits]) == labels,
        tested=np.arange(len(labels)) < len(splits[0].labels),
        names=predictions.run.classes,
    )
    print(f"{predictions.run.network}: {known.tested.sum():,} test images, {(~known.tested).sum():,} of validation")
    print(f"facts: {', '.join(known.facts)}\n")
    print(
        "as they are:",
        "; ".join(words for *_, words in known.weak_slices(known.facts, known.correct)) or "nothing",
        "\n",
    )
    for factor in chosen.factors:
        rows, found = plant(known, model, pixels, chosen.share, factor)
        print_table(("darkened", "correct before", "after", "found", "first slice", "others"), rows)
        print(f"found: {sum(found)} of the {len(found)} classes that lost {LOSS:.0%} or more\n")
    draw = np.random.default_rng(0)
    alarms = sum(bool(known.weak_slices(known.facts, shuffled(known, draw))) for _ in range(chosen.draws))
    if chosen.draws:
        low, high = (float(end) for end in wilson(alarms, chosen.draws, CONFIDENCE))
        print(f"false alarms: {alarms} of {chosen.draws} clean sets, {alarms / chosen.draws:.1%} (95% interval {low:.1%} to "
              f"{high:.1%}); promised: at most {LEVEL:.0%}")  # fmt: skip


if __name__ == "__main__":
    main()
