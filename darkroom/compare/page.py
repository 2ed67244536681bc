"""The page of a comparison: two models on the same images, in numbers, drawn, and in pictures."""

from dataclasses import dataclass

from darkroom.compare.comparison import ClassChange, Comparison, changed_confusions
from darkroom.compare.predictions import RevisionPredictions
from darkroom.compare.text import class_summary, decision, missing, p_value, points, score_rows, tag
from darkroom.diff.pictures import Picture, Pictures, read_pictures
from darkroom.drawing.chart import Chart, Line
from darkroom.drawing.pages import render_page, short
from darkroom.evaluation.charts import CHART_HEIGHT, LEAST_COVERAGE, coverage_axes, reliability_chart
from darkroom.images.manifest import manifest_of
from darkroom.runtime.revisions import open_revision

# Pictures of a gallery, classes of the table (half of them the worst, half the best), confusions.
SHOWN, CLASSES, CONFUSIONS = 24, 30, 12
STYLES = ("cold dashed", "accent")


@dataclass(frozen=True)
class Flip:
    """An image that one model predicts correctly and the other does not; predictions are (class, probability)."""

    path: str
    label: str
    before: tuple[str, float]
    after: tuple[str, float]
    picture: Picture | None


@dataclass(frozen=True)
class Gallery:
    """Images that flipped one way: `total` of them, and the first few."""

    title: str
    about: str
    total: int
    flips: list[Flip]


@dataclass(frozen=True)
class ClassRow:
    """A class as text, and where to draw its change: low, value, high in percent of the scale."""

    change: ClassChange
    text: str
    tag: str
    positions: tuple[float, float, float]


def comparison_page(found: Comparison, before: RevisionPredictions, after: RevisionPredictions) -> str:
    """One offline page.

    Args:
        found: the comparison.
        before, after: what was compared; pictures are read from the revision after.
    """
    ways = (
        ("Correct before, wrong after", "Those whose correct class lost the most probability come first.", found.lost),
        ("Wrong before, correct after", "Those whose correct class gained the most probability come first.", found.won),
    )
    rows = [row for _, _, flipped in ways for row in flipped[:SHOWN].tolist()]
    pictures, missing_pictures = _pictures(found, rows)
    few = (
        found.classes
        if len(found.classes) <= CLASSES
        else [*found.classes[: CLASSES // 2], *found.classes[-CLASSES // 2 :]]
    )
    widest = max((abs(end) for each in few for end in (each.recall.low, each.recall.high)), default=1.0)
    return render_page(
        "compare.html",
        found=found,
        before=before,
        after=after,
        decision=decision(found),
        class_summary=class_summary(found),
        missing=missing(found),
        scores=score_rows(found),
        charts=[_reliability(found), _coverage(found)],
        classes=[_class_row(each, found.level, widest) for each in few],
        reach=f"{100 * widest:.1f}",
        confusions=changed_confusions(found.shared, CONFUSIONS),
        galleries=[
            Gallery(title, about, len(flipped), [_flip(found, row, pictures) for row in flipped[:SHOWN].tolist()])
            for title, about, flipped in ways
        ],
        missing_pictures=missing_pictures,
        change=points(found.accuracy),
        p=p_value(found.p),
        level=f"{100 * found.level:g}%",
    )


def _pictures(found: Comparison, rows: list[int]) -> tuple[dict[int, Picture], Pictures]:
    """The pictures by row of the comparison, and what could not be read."""
    with open_revision(found.after.name) as revision:
        table = manifest_of(revision, ["id", "shard", "offset", "bytes"])
    if table is None or not rows:
        return {}, Pictures()
    manifest = table.to_pandas()
    position = {image: number for number, image in enumerate(manifest["id"])}
    positions = {row: position[found.shared.ids[row]] for row in rows}
    read = read_pictures(found.after.name, manifest, set(positions.values()))
    return {row: read.of[number] for row, number in positions.items() if number in read.of}, read


def _flip(found: Comparison, row: int, pictures: dict[int, Picture]) -> Flip:
    shared, names = found.shared, found.shared.classes.names
    before, after = (
        (names[probabilities[row].argmax()], float(probabilities[row].max()))
        for probabilities in (shared.before, shared.after)
    )
    return Flip(shared.paths[row], names[shared.labels[row]], before, after, pictures.get(row))


def _class_row(change: ClassChange, level: float, widest: float) -> ClassRow:
    low, value, high = (
        round(50 + 50 * end / widest, 2) for end in (change.recall.low, change.recall.value, change.recall.high)
    )
    return ClassRow(change, points(change.recall), tag(change, level), (low, value, high))


def _reliability(found: Comparison) -> Chart:
    sides = list(zip((found.before, found.after), STYLES, strict=True))
    errors = [f"{side.calibration_error.value:.2%} for {short(side.name)}" for side, _ in sides]
    note = f"expected calibration error {' and '.join(errors)}"
    return reliability_chart([(side.name, style, side.reliability) for side, style in sides], note)


def _coverage(found: Comparison) -> Chart:
    marks, ends, highest = [], [], 0.01 / 1.08
    for side, style in zip((found.before, found.after), STYLES, strict=True):
        curve = [
            point
            for point in zip(side.coverage.coverage, side.coverage.risk, strict=True)
            if point[0] >= LEAST_COVERAGE
        ]
        coverage, risk = zip(*curve, strict=True)
        highest = max(highest, *risk)
        ends.append(f"{risk[-1]:.2%} for {short(side.name)}")
        marks.append(Line(coverage, risk, style, short(side.name, 28)))
    note = f"at full coverage {' and '.join(ends)}"
    return Chart("Error rate by coverage", note, *coverage_axes(highest), marks, CHART_HEIGHT)
