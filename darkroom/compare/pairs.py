"""Two models on live images, which have no labels: how often they agree, how confident each is, what each costs."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from darkroom.drawing.markdown import code, table
from darkroom.runtime.arrays import Float64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import csv_value
from darkroom.statistics.intervals import Estimate, wilson

SIDE = ("label", "confidence", "abstained", "seconds")
# Of the table that the service writes with `--candidate`.
COLUMNS = ("time", "sha256", *SIDE, *(f"candidate_{name}" for name in SIDE))
CONFIDENCE = 0.95
# Pairs of classes that are listed.
LISTED = 10

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Of a side of a row, as text.
ROW = TypeAdapter(tuple[str, Share, Annotated[int, Field(ge=0, le=1)], Seconds])


@dataclass(frozen=True)
class SidePairs:
    """What one of the two models gave, image by image.

    Attributes:
        labels: the most probable classes.
        confidence: their probabilities, float64 [N].
        abstained: 1 where it abstains, float64 [N].
        seconds: of a processor in the graph, for an image, float64 [N].
    """

    labels: list[str]
    confidence: Float64s
    abstained: Float64s
    seconds: Float64s


@dataclass(frozen=True)
class Pairs:
    """A table of pairs.

    Attributes:
        images: SHA-256 of each file; one that came twice is there twice.
        model, candidate: what each gave.
    """

    images: list[str]
    model: SidePairs
    candidate: SidePairs

    @property
    def disagree(self) -> list[int]:
        """Rows on which the classes differ."""
        both = zip(self.model.labels, self.candidate.labels, strict=True)
        return [row for row, (ours, theirs) in enumerate(both) if ours != theirs]

    @property
    def agreement(self) -> Estimate:
        """The fraction of the images with one class, with its interval."""
        same = len(self.images) - len(self.disagree)
        low, high = wilson(same, len(self.images), CONFIDENCE)
        return Estimate(same / len(self.images), float(low), float(high))


def read_pairs(path: Path) -> Pairs:
    """Read a table of pairs.

    Raises:
        DarkroomError: when it is none, or a row is damaged, with its line. A last line that is cut short is left out: the
            service may be writing it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DarkroomError(f"{path} can't be read: {getattr(error, 'strerror', None) or 'it is no UTF-8'}") from None
    rows = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise DarkroomError(f"{path} is no table of pairs: the service writes one with --candidate")
    if len(rows) == 1:
        raise DarkroomError(
            f"{path} has no pairs yet: the candidate gets a sample of the images that the service answers"
        )
    sides: tuple[list[Any], list[Any]] = ([], [])
    for number, row in enumerate(rows[1:], 2):
        try:
            for side, cells in zip(sides, (row[2:6], row[6:]), strict=True):
                side.append(ROW.validate_python(tuple(cells)))
        except ValidationError:
            raise DarkroomError(f"{path}, line {number:,} is damaged: take the line out, or the table again") from None
    return Pairs([row[1] for row in rows[1:]], *(_side(side) for side in sides))


def _side(rows: list[tuple[str, float, int, float]]) -> SidePairs:
    labels, *numbers = zip(*rows, strict=True)
    confidence, abstained, seconds = (np.array(each, np.float64) for each in numbers)
    return SidePairs([csv_value(label) for label in labels], confidence, abstained, seconds)


def pairs_markdown(pairs: Pairs) -> str:
    """A table of pairs in words and numbers."""
    found, differ = pairs.agreement, pairs.disagree
    rows = [
        ["mean confidence", *(f"{side.confidence.mean():.4f}" for side in (pairs.model, pairs.candidate))],
        ["abstains", *(f"{side.abstained.mean():.2%}" for side in (pairs.model, pairs.candidate))],
        [
            "processor time, median",
            *(f"{1000 * np.median(side.seconds):.3g} ms" for side in (pairs.model, pairs.candidate)),
        ],
    ]
    lines = [
        f"The candidate gives {found.value:.2%} ({found.low:.2%} to {found.high:.2%}) of {len(pairs.images):,} images the "
        "class that the model gives.",
        "",
        table(["", "model", "candidate"], rows),
    ]
    if differ:
        changes = Counter((pairs.model.labels[row], pairs.candidate.labels[row]) for row in differ)
        listed = [
            [f"{code(ours)}, candidate {code(theirs)}", f"{count:,}"]
            for (ours, theirs), count in changes.most_common(LISTED)
        ]
        lines += ["", table(["both classes", "images"], listed), ""]
        lines.append(
            f"Which of them is correct more often, only labels of these {len(differ):,} images tell: on all others they are "
            "equally correct."
        )
    return "\n".join(lines) + "\n"


def pairs_record(pairs: Pairs) -> dict[str, Any]:
    """All numbers, and every image on which the classes differ."""
    sides = {"model": pairs.model, "candidate": pairs.candidate}
    return {
        "images": len(pairs.images),
        "agreement": {"value": pairs.agreement.value, "low": pairs.agreement.low, "high": pairs.agreement.high},
        **{
            name: {
                "confidence": float(side.confidence.mean()),
                "abstained": float(side.abstained.mean()),
                "seconds": float(np.median(side.seconds)),
            }
            for name, side in sides.items()
        },
        "disagree": [
            {"sha256": pairs.images[row], **{name: side.labels[row] for name, side in sides.items()}}
            for row in pairs.disagree
        ],
    }
