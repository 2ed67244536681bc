"""The page of a decision: the outcome in a sentence, every check, classes and slices, and images on which the models differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from darkroom.bundle.bundle import Bundle
from darkroom.compare.labelled import LabelledImages
from darkroom.drawing.pages import render_page
from darkroom.drawing.pictures import image_data_uri, is_small
from darkroom.gate.comparisons import ALPHA, CONFIDENCE, SliceChange
from darkroom.gate.decision import Decision
from darkroom.gate.reasons import Reason, margin_words, points
from darkroom.runtime.text import count

# Pictures, and rows of the table of classes.
SHOWN, SLICES, SIDE = 24, 30, 160


@dataclass(frozen=True)
class Difference:
    """A picture of an image on which the models differ, as the candidate sees it."""

    uri: str
    crisp: bool
    place: str
    label: str | None
    champion: str
    candidate: str


@dataclass(frozen=True)
class Drawn:
    """A difference as text, and where to draw its ends and its value, in percent of the scale.

    Attributes:
        title: what it is of.
        images, lost, won: counts.
        text, interval: the difference, and its ends, in points.
        positions: of low, value and high.
        note: the p-value, or the outcome.
        tag: `bad` or nothing.
    """

    title: str
    images: int
    lost: int
    won: int
    text: str
    interval: str
    positions: tuple[float, float, float]
    note: str
    tag: str


def pictures(queue: pa.Table, images: LabelledImages, bundle: Bundle) -> list[Difference]:
    """The first images of a queue.

    Args:
        queue: as `queue_table` makes it.
        images: of the test split.
        bundle: of the candidate, which reads the files.
    """
    found = []
    row_of = {image: row for row, image in enumerate(images.ids)}
    for each in queue.slice(0, SHOWN).to_pylist():
        test = each["split"] == "test"
        data = images.file(row_of[each["id"]]) if test else Path(each["place"]).read_bytes()
        pixels = bundle.pixels(data)
        place = images.paths[row_of[each["id"]]] if test else f"{each['sha256'][:12]}…"
        label, old, new = (each[name] for name in ("label", "champion_label", "candidate_label"))
        found.append(Difference(image_data_uri(pixels, SIDE), is_small(pixels), place, label, old, new))
    return found


def decision_page(decision: Decision, changes: Sequence[SliceChange], shown: Sequence[Difference], queued: int) -> str:
    """One offline page.

    Args:
        decision: what was decided.
        changes: of classes and slices, the worst first; none for a first candidate.
        shown: pictures of disagreements.
        queued: how many disagreements there are.
    """
    compared = [reason for reason in decision.reasons if "difference" in reason.numbers]
    ends = [abs(reason.numbers[end]) for reason in compared for end in ("low", "high")]
    widest = max([*ends, 2 * decision.margin], default=1.0)
    spread = max((abs(end) for each in changes for end in (each.change.low, each.change.high)), default=1.0)
    return render_page(
        "gate.html",
        decision=decision,
        margin=margin_words(decision.margin),
        level=f"{100 * CONFIDENCE:g}%",
        compared=[_accuracy(reason, widest) for reason in compared],
        margin_position=_position(-decision.margin, widest),
        reach=f"{100 * widest:.1f}",
        slices=[_slice(each, spread) for each in changes[:SLICES]],
        slices_total=len(changes),
        slices_reach=f"{100 * spread:.1f}",
        shown=shown,
        queued=queued,
        labels=_labels_words(decision),
        detectable=None
        if decision.detectable_difference is None
        else f"{100 * decision.detectable_difference:.2f} points",
    )


def _labels_words(decision: Decision) -> str:
    """How many labels would end a hold, and whether there are as many images to give them to; nothing where none wait."""
    found = decision.disagreements
    if not found.get("unlabelled_differ"):
        return ""
    images, differ, needed = (int(found[name]) for name in ("unlabelled", "unlabelled_differ", "labels_needed"))
    words = (
        f"They differ on {differ:,} of {count(images, 'image')} without a label, and {count(int(found['labels']), 'label')} "
        f"came so far. Of an equal model some {needed:,} would show that it loses at most {margin_words(decision.margin)}"
    )
    more = round(needed * images / differ) - images
    return f"{words}." if more <= 0 else f"{words}: for so many, some {more:,} more images have to be stored."


def _accuracy(reason: Reason, widest: float) -> Drawn:
    n = reason.numbers
    return Drawn(
        f"Beside {n['reference']}",
        n["images"],
        n["lost"],
        n["won"],
        f"{points(n['difference'])} points",
        f"{points(n['low'])} to {points(n['high'])}",
        (_position(n["low"], widest), _position(n["difference"], widest), _position(n["high"], widest)),
        "within the margin" if reason.passed else "not shown" if reason.otherwise == "hold" else "worse",
        "" if reason.passed else "bad",
    )


def _slice(each: SliceChange, widest: float) -> Drawn:
    change = each.change
    return Drawn(
        each.name if each.kind == "class" else f"{each.name} images",
        each.images,
        each.lost,
        each.won,
        f"{points(change.value)} points",
        f"{points(change.low)} to {points(change.high)}",
        (_position(change.low, widest), _position(change.value, widest), _position(change.high, widest)),
        f"{each.adjusted_p:.3f}",
        "bad" if each.adjusted_p < ALPHA else "",
    )


def _position(value: float, widest: float) -> float:
    return round(50 + 50 * value / widest, 2)
