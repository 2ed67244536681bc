"""The charts of the evaluation page: ranking, calibration, abstention and robustness."""

from collections.abc import Sequence

import numpy as np

from darkroom.drawing.axis import Axis, round_axis
from darkroom.drawing.chart import Chart, Line, Mark, Points, Rule
from darkroom.drawing.pages import percent, short
from darkroom.evaluation.error_analysis import RobustnessCurve
from darkroom.evaluation.evaluation import Evaluation
from darkroom.evaluation.ranking import Curve
from darkroom.statistics.calibration import ReliabilityBin

# More thin lines than this are a smear.
FAINT_CURVES = 30
# Of the kinds of damage.
STYLES = ("accent", "cold dashed", "good dotted", "warn mixed")
# The most confident answers are few: one mistake among them would set the scale.
LEAST_COVERAGE = 0.05
CHART_HEIGHT = 324


def roc_chart(curves: Sequence[Curve]) -> Chart:
    """ROC curves: the macro and the micro average, then the classes; the diagonal is chance."""
    axes = Axis("false positive rate", 0, 1, percent=True), Axis("true positive rate", 0, 1, percent=True)
    return _ranking("ROC", axes, curves, [Line((0, 1), (0, 1), "soft dotted", "chance")])


def precision_recall_chart(curves: Sequence[Curve]) -> Chart:
    """Precision-recall curves in the same order; chance, which differs by class, is left out."""
    axes = Axis("recall", 0, 1, percent=True), Axis("precision", 0, 1, percent=True)
    return _ranking("Precision and recall", axes, curves, [])


def _ranking(title: str, axes: tuple[Axis, Axis], curves: Sequence[Curve], beneath: list[Mark]) -> Chart:
    macro, micro, *classes = curves
    weakest, *others = sorted(classes, key=lambda curve: curve.area)
    name = short(weakest.name, 28)
    marks = [
        *beneath,
        *(Line(curve.x, curve.y, "soft faint") for curve in others[:FAINT_CURVES]),
        Line(weakest.x, weakest.y, "warn mixed", f"weakest: {name}"),
        Line(micro.x, micro.y, "cold dashed", "micro average"),
        Line(macro.x, macro.y, "accent", "macro average"),
    ]
    note = f"the area is {percent(macro.area, 2)} for the macro average, {percent(micro.area, 2)} for the micro average"
    return Chart(title, f"{note} and {percent(weakest.area, 2)} for {name}", *axes, marks, CHART_HEIGHT)


def reliability_chart(sides: Sequence[tuple[str, str, Sequence[ReliabilityBin]]], note: str) -> Chart:
    """Confidence beside accuracy (a reliability diagram), with intervals; the larger a dot, the more images.

    Args:
        sides: name, style and bins of each line.
        note: for the caption.
    """
    marks: list[Mark] = [Line((0, 1), (0, 1), "soft dotted", "perfect calibration")]
    most = max(each.images for _, _, bins in sides for each in bins)
    for name, style, bins in sides:
        confidence, accuracy = [each.confidence for each in bins], [each.accuracy for each in bins]
        marks.append(Line(confidence, accuracy, style, short(name, 28)))
        marks.append(
            Points(
                confidence,
                accuracy,
                style,
                [
                    f"{name}: {each.images:,} images with a mean confidence of {each.confidence:.1%}, "
                    f"accuracy {each.accuracy:.1%} ({each.accuracy_low:.1%} to {each.accuracy_high:.1%})"
                    for each in bins
                ],
                radius=[round(2 + 4 * (each.images / most) ** 0.5, 1) for each in bins],
                low=[each.accuracy_low for each in bins],
                high=[each.accuracy_high for each in bins],
            )
        )
    axes = Axis("confidence", 0, 1, percent=True), Axis("accuracy", 0, 1, percent=True)
    return Chart("Confidence and accuracy", note, *axes, marks, CHART_HEIGHT)


def temperature_chart(found: Evaluation) -> Chart:
    """Reliability of the test images before and after temperature scaling."""
    note = (
        f"expected calibration error {percent(found.before.ece.value)} before temperature scaling and "
        f"{percent(found.after.ece.value)} after"
    )
    return reliability_chart(
        [("before", "cold dashed", found.before.bins), ("after", "accent", found.after.bins)], note
    )


def coverage_axes(highest: float) -> tuple[Axis, Axis]:
    """The axes of a risk-coverage curve, with room above the highest error rate."""
    return Axis("share of the images answered", 0, 1, percent=True), Axis("error rate", 0, 1.08 * highest, percent=True)


def coverage_chart(found: Evaluation) -> Chart:
    """Error rate among the answers by the share of images answered (a risk-coverage curve), with the threshold."""
    risk, coverage = np.asarray(found.coverage.risk), np.asarray(found.coverage.coverage)
    allowed = 1 - found.calibration.target_precision
    axes = coverage_axes(max(float(risk[coverage >= LEAST_COVERAGE].max()), allowed))
    marks: list[Mark] = [
        Rule(allowed, "soft dotted", f"target {100 * allowed:g}%", level=True),
        Line(coverage, risk, "accent", "test images"),
    ]
    answered, note = found.answered, "all images are answered"
    if found.calibration.threshold is not None and answered.answered:
        wrong = 1 - answered.precision
        note = f"at the threshold {percent(answered.coverage)} are answered and {percent(wrong)} of these wrongly"
        marks += [
            Rule(answered.coverage, "soft dashed thin", text=f"confidence {found.calibration.threshold:.3f}"),
            Points(
                [answered.coverage],
                [wrong],
                "cold",
                [f"{percent(answered.coverage)} answered, {percent(answered.precision)} of them correctly"],
                "at the threshold",
                radius=4.5,
                low=[1 - answered.precision_high],
                high=[1 - answered.precision_low],
            ),
        ]
    return Chart("Error rate by coverage", note, *axes, marks, CHART_HEIGHT)


def robustness_chart(curves: Sequence[RobustnessCurve]) -> Chart:
    """Accuracy by severity, a line for each kind of damage."""
    lowest = min(low for curve in curves for low in curve.low)
    marks: list[Mark] = []
    for curve, style in zip(curves, STYLES, strict=True):
        values = zip(curve.labels_of_severity, curve.accuracy, curve.low, curve.high, strict=True)
        texts = [f"{curve.name}, {words}: {value:.1%} ({low:.1%} to {high:.1%})" for words, value, low, high in values]
        marks.append(Line(curve.severities, curve.accuracy, style, curve.name))
        marks.append(Points(curve.severities, curve.accuracy, style, texts, radius=2.8, low=curve.low, high=curve.high))
    worst = ", ".join(f"{curve.accuracy[-1]:.1%} under {curve.name}" for curve in curves)
    axes = Axis("severity", 0, curves[0].severities[-1], whole=True), round_axis("accuracy", lowest, 1, percent=True)
    note = f"{curves[0].accuracy[0]:.1%} as they are; at the highest severity {worst}"
    return Chart("Accuracy as pictures get worse", note, *axes, marks, CHART_HEIGHT)
