"""Training curves, from the folder that DVCLive wrote."""

import csv
from dataclasses import dataclass
from pathlib import Path

from darkroom.runtime.errors import DarkroomError


@dataclass(frozen=True)
class Curves:
    """What training logged, one value an epoch, the first of epoch 1.

    Attributes:
        train: by metric, `loss` and `accuracy`.
        validation: likewise.
    """

    train: dict[str, list[float]]
    validation: dict[str, list[float]]


def read_curves(folder: Path, chosen: int) -> Curves:
    """Read the plots of a DVCLive folder.

    Args:
        folder: the folder.
        chosen: the epoch whose weights were kept, counted from 1.

    Raises:
        DarkroomError: when the folder lacks one of the four curves, they differ in length, or end before `chosen`.
    """
    train, validation = (
        {metric: _column(folder / "plots" / "metrics" / split / f"{metric}.tsv") for metric in ("loss", "accuracy")}
        for split in ("train", "validation")
    )
    lengths = sorted({len(values) for split in (train, validation) for values in split.values()})
    if len(lengths) != 1 or lengths[0] < chosen:
        raise DarkroomError(
            f"the curves in {folder} have {' and '.join(map(str, lengths))} epochs, and the model is of epoch {chosen}: "
            "run `dvc repro train`"
        )
    return Curves(train, validation)


def _column(path: Path) -> list[float]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [float(row[path.stem]) for row in csv.DictReader(file, delimiter="\t")]
    except FileNotFoundError:
        raise DarkroomError(f"there is no {path}, which training writes: run `dvc repro train`") from None
