"""An evaluation in a few lines, for the terminal."""

from darkroom.evaluation.error_analysis import Insights
from darkroom.evaluation.evaluation import Evaluation
from darkroom.evaluation.scorecard import class_rows


def told(found: Evaluation, insights: Insights, names: tuple[str, ...], model: str) -> str:
    """The headline with its intervals, the three classes recognised least, and what to look at; aligned.

    Args:
        found: the scores.
        insights: what lies behind them.
        names: in class-list order.
        model: what was evaluated, in words.
    """
    numbers, answered, error = found.card.headline, found.answered, found.after.ece
    rows = [
        ("accuracy", numbers["accuracy"], numbers["accuracy_low"], numbers["accuracy_high"], ""),
        ("macro F1", numbers["macro_f1"], numbers["macro_f1_low"], numbers["macro_f1_high"], ""),
    ]
    tested = [row for row in class_rows(found.card, names) if row.images]
    for row in sorted(tested, key=lambda row: row.recall)[:3]:
        counts = f" ({row.right:,} of {row.images:,})"
        rows.append((f"recall of {row.name}", row.recall, row.recall_low, row.recall_high, counts))
    rows.append(("calibration error", error.value, error.low, error.high, ""))
    if found.calibration.threshold is not None:
        counts = f" (confidence {found.calibration.threshold:.3f}; {answered.coverage:.1%} of the images)"
        rows.append(
            ("right where it answers", answered.precision, answered.precision_low, answered.precision_high, counts)
        )
    width = max(len(label) for label, *_ in rows)
    lines = [f"evaluate: {numbers['images']:,} test images, {len(names)} classes, {model}"]
    lines += [
        f"  {label:<{width}}  {value:6.1%}  {100 * found.card.confidence:g}% interval {low:.1%} to {high:.1%}{counts}"
        for label, value, low, high, counts in rows
    ]
    if found.calibration.threshold is None:
        target = f"{100 * found.calibration.target_precision:g}%"
        lines.append(f"  it always answers: no threshold of confidence is sure to make {target} of its answers right")
    lines += [
        f"  weak spot: {each.words}, {each.accuracy:.1%} of {each.images:,} right" for each in insights.slices[:3]
    ]
    if suspects := len(insights.suspects):
        lines.append(f"  labels to look at: {suspects:,} of training and validation images")
    return "\n".join(lines)
