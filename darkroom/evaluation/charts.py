"""The drawings of the evaluation page: ranking, calibration, abstention and robustness."""

from collections.abc import Sequence

import numpy as np

from darkroom.drawing.graph import Axis, Graph, Plane, Series
from darkroom.drawing.pages import percent
from darkroom.evaluation.evaluation import Evaluation
from darkroom.evaluation.ranking import Curve
from darkroom.evaluation.robustness import RobustnessCurve

# More thin lines than this are a smear.
FAINT_CURVES = 30
KINDS = ("first", "second", "third", "fourth")


def roc_graph(curves: Sequence[Curve]) -> Graph:
    """Macro and micro average before the lines of the classes, and the line of chance."""
    plane = Plane(
        Axis("share of other classes' images taken for it", 0, 1), Axis("share of its own images found", 0, 1)
    )
    return _ranking("ROC", plane, curves, [plane.line("chance", "even", (0, 1), (0, 1))])


def precision_recall_graph(curves: Sequence[Curve]) -> Graph:
    """Likewise; what chance reaches differs from class to class, and is not drawn."""
    plane = Plane(Axis("recall", 0, 1), Axis("precision", 0, 1))
    return _ranking("Precision and recall", plane, curves, [])


def _ranking(title: str, plane: Plane, curves: Sequence[Curve], beneath: list[Series]) -> Graph:
    macro, micro, *classes = curves
    weakest = sorted(classes, key=lambda curve: curve.area)
    faint = [plane.line("", "faint", curve.x, curve.y) for curve in weakest[1 : FAINT_CURVES + 1]]
    strong = [
        plane.line(f"weakest: {weakest[0].name}", "third", weakest[0].x, weakest[0].y),
        plane.line("micro average", "second", micro.x, micro.y),
        plane.line("macro average", "first", macro.x, macro.y),
    ]
    note = (
        f"the area is {macro.area:.4f} for the macro average, {micro.area:.4f} for the micro average, and "
        f"{weakest[0].area:.4f} for the weakest class, {weakest[0].name}"
    )
    return plane.graph(title, note, [*beneath, *faint, *strong])


def reliability_graph(found: Evaluation) -> Graph:
    """Confidence beside accuracy, before and after temperature scaling, on the test images."""
    plane = Plane(Axis("confidence", 0, 1), Axis("share named correctly", 0, 1))
    series = [plane.line("as it should be", "even", (0, 1), (0, 1))]
    most = max(each.images for measured in (found.before, found.after) for each in measured.bins)
    for name, kind, measured in (("before", "second", found.before), ("after", "first", found.after)):
        bins = measured.bins
        series.append(
            plane.dots(
                name,
                kind,
                [each.confidence for each in bins],
                [each.accuracy for each in bins],
                ([each.accuracy_low for each in bins], [each.accuracy_high for each in bins]),
                [
                    f"{name}: {each.images:,} images with a mean confidence of {each.confidence:.1%}, "
                    f"{each.accuracy:.1%} of them right ({each.accuracy_low:.1%} to {each.accuracy_high:.1%})"
                    for each in bins
                ],
                [round(2 + 4 * (each.images / most) ** 0.5, 1) for each in bins],
                joined=True,
            )
        )
    note = (
        f"expected calibration error {percent(found.before.ece.value)} before temperature scaling and "
        f"{percent(found.after.ece.value)} after"
    )
    return plane.graph("Confidence beside accuracy", note, series)


def coverage_graph(found: Evaluation) -> Graph:
    """Mistakes among the answers given, by the share of images answered; the threshold marked."""
    risk, coverage = np.asarray(found.coverage.risk), np.asarray(found.coverage.coverage)
    highest = max(risk[coverage >= 0.05].max(), 1 - found.calibration.target_precision) * 1.08
    plane = Plane(Axis("share of the images answered", 0, 1), Axis("share of the answers wrong", 0, float(highest)))
    allowed = 1 - found.calibration.target_precision
    series = [
        plane.line(f"the target, {100 * allowed:g}%", "even", (0, 1), (allowed, allowed)),
        plane.line("test images", "first", coverage, risk),
    ]
    answered = found.answered
    if found.calibration.threshold is None or not answered.answered:
        return plane.graph("Mistakes by coverage", "all images are answered", series)
    series.append(
        plane.dots(
            "at the threshold",
            "second",
            [answered.coverage],
            [1 - answered.precision],
            ([1 - answered.precision_high], [1 - answered.precision_low]),
            [f"{percent(answered.coverage)} answered, {percent(answered.precision)} of them right"],
            [4.5],
        )
    )
    note = f"at the threshold {percent(answered.coverage)} are answered and {percent(1 - answered.precision)} of these wrong"
    marks = [(answered.coverage, f"confidence {found.calibration.threshold:.3f}")]
    return plane.graph("Mistakes by coverage", note, series, marks)


def robustness_graph(curves: Sequence[RobustnessCurve]) -> Graph:
    """Accuracy by severity, a line for each kind of damage."""
    lowest = min(low for curve in curves for low in curve.low)
    floor = np.floor(lowest * 10) / 10
    last = curves[0].severities[-1]
    plane = Plane(Axis("severity", 0, last, percent=False), Axis("accuracy", float(floor), 1))
    series = [
        plane.dots(
            curve.name,
            kind,
            curve.severities,
            curve.accuracy,
            (curve.low, curve.high),
            [
                f"{curve.name}, {words}: {value:.1%} right ({low:.1%} to {high:.1%})"
                for words, value, low, high in zip(
                    curve.labels_of_severity, curve.accuracy, curve.low, curve.high, strict=True
                )
            ],
            [2.8] * len(curve.severities),
            joined=True,
        )
        for curve, kind in zip(curves, KINDS, strict=True)
    ]
    worst = ", ".join(f"{curve.accuracy[-1]:.1%} under {curve.name}" for curve in curves)
    return plane.graph(
        "Accuracy as pictures get worse", f"{curves[0].accuracy[0]:.1%} as they are; at worst {worst}", series
    )
