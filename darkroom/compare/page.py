"""The page of a comparison: two models on the same images, in numbers, drawn, and in pictures."""

from dataclasses import dataclass

from darkroom.compare.comparison import ClassChange, Comparison
from darkroom.compare.mistakes import changed_mistakes
from darkroom.compare.scored import Scored
from darkroom.compare.text import chance, class_verdict, missing, points, score_rows, tag, verdict
from darkroom.diff.pictures import Picture, Pictures, read_pictures
from darkroom.drawing.graph import Axis, Graph, Plane
from darkroom.drawing.pages import render_page
from darkroom.images.manifest import manifest_of
from darkroom.runtime.revisions import open_revision

# Pictures of a gallery, classes of the table (half of them the worst, half the best), confusions.
SHOWN, CLASSES, MISTAKES = 24, 30, 12
KINDS = ("second", "first")
LEAST_COVERAGE = 0.05


@dataclass(frozen=True)
class Flip:
    """An image that one model names correctly and the other does not; answers are (class, probability)."""

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
    """A class in words, and where to draw its change: low, value, high in percent of the scale."""

    change: ClassChange
    words: str
    tag: str
    places: tuple[float, float, float]


def side_by_side_page(found: Comparison, before: Scored, after: Scored) -> str:
    """One offline page.

    Args:
        found: what came out.
        before, after: what was compared; pictures are read from the revision after.
    """
    ways = (
        ("Right before, wrong after", "Those whose right class lost the most probability come first.", found.lost),
        ("Wrong before, right after", "Those whose right class won the most probability come first.", found.won),
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
        verdict=verdict(found),
        class_verdict=class_verdict(found),
        missing=missing(found),
        scores=score_rows(found),
        graphs=[_reliability(found), _coverage(found)],
        classes=[_class_row(each, found.level, widest) for each in few],
        reach=f"{100 * widest:.1f}",
        mistakes=changed_mistakes(found.shared, MISTAKES),
        galleries=[
            Gallery(title, about, len(flipped), [_flip(found, row, pictures) for row in flipped[:SHOWN].tolist()])
            for title, about, flipped in ways
        ],
        missing_pictures=missing_pictures,
        change=points(found.accuracy),
        chance=chance(found.p),
        level=f"{100 * found.level:g}%",
    )


def _pictures(found: Comparison, rows: list[int]) -> tuple[dict[int, Picture], Pictures]:
    """The pictures by row of the comparison, and what could not be read."""
    with open_revision(found.after.name) as revision:
        table = manifest_of(revision, ["id", "shard", "offset", "bytes"])
    if table is None or not rows:
        return {}, Pictures()
    manifest = table.to_pandas()
    place = {image: number for number, image in enumerate(manifest["id"])}
    places = {row: place[found.shared.ids[row]] for row in rows}
    read = read_pictures(found.after.name, manifest, set(places.values()))
    return {row: read.of[number] for row, number in places.items() if number in read.of}, read


def _flip(found: Comparison, row: int, pictures: dict[int, Picture]) -> Flip:
    shared, names = found.shared, found.shared.classes.names
    before, after = (
        (names[answers[row].argmax()], float(answers[row].max())) for answers in (shared.before, shared.after)
    )
    return Flip(shared.paths[row], names[shared.labels[row]], before, after, pictures.get(row))


def _class_row(change: ClassChange, level: float, widest: float) -> ClassRow:
    low, value, high = (
        round(50 + 50 * end / widest, 2) for end in (change.recall.low, change.recall.value, change.recall.high)
    )
    return ClassRow(change, points(change.recall), tag(change, level), (low, value, high))


def _reliability(found: Comparison) -> Graph:
    plane = Plane(Axis("confidence", 0, 1), Axis("share named correctly", 0, 1))
    series = [plane.line("as it should be", "even", (0, 1), (0, 1))]
    most = max(each.images for side in (found.before, found.after) for each in side.reliability)
    for side, kind in zip((found.before, found.after), KINDS, strict=True):
        bins = side.reliability
        series.append(
            plane.dots(
                side.name,
                kind,
                [each.confidence for each in bins],
                [each.accuracy for each in bins],
                ([each.accuracy_low for each in bins], [each.accuracy_high for each in bins]),
                [
                    f"{side.name}: {each.images:,} images with a mean confidence of {each.confidence:.1%}, "
                    f"{each.accuracy:.1%} of them right ({each.accuracy_low:.1%} to {each.accuracy_high:.1%})"
                    for each in bins
                ],
                [round(2 + 4 * (each.images / most) ** 0.5, 1) for each in bins],
                joined=True,
            )
        )
    errors = [f"{side.calibration_error.value:.2%} for {side.name}" for side in (found.before, found.after)]
    return plane.graph("Confidence beside accuracy", f"calibration error {' and '.join(errors)}", series)


def _coverage(found: Comparison) -> Graph:
    curves = [
        # The very surest answers are few: one mistake among them would set the scale.
        [place for place in zip(side.coverage.coverage, side.coverage.risk, strict=True) if place[0] >= LEAST_COVERAGE]
        for side in (found.before, found.after)
    ]
    highest = max(risk for curve in curves for _, risk in curve)
    plane = Plane(
        Axis("share of the images answered", 0, 1), Axis("share of the answers wrong", 0, max(highest * 1.08, 0.01))
    )
    sides = list(zip((found.before, found.after), KINDS, curves, strict=True))
    series = [plane.line(side.name, kind, *zip(*curve, strict=True)) for side, kind, curve in sides]
    ends = " and ".join(f"{curve[-1][1]:.2%} for {side.name}" for side, _, curve in sides)
    return plane.graph("Mistakes by coverage", f"with all images answered {ends}", series)
