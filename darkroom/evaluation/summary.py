"""The summary lines of an evaluation, for the terminal."""

from darkroom.evaluation.error_analysis import ErrorAnalysis
from darkroom.evaluation.evaluation import Evaluation


def summary_lines(found: Evaluation, errors: ErrorAnalysis, model: str) -> str:
    """The headline with its intervals, the three classes of least recall, and what to look at; aligned.

    Args:
        found: the scores.
        errors: what was found beside them.
        model: what was evaluated, in words.
    """
    numbers, answered, error = found.headline, found.answered, found.after.ece
    rows = [
        ("accuracy", numbers["accuracy"], numbers["accuracy_low"], numbers["accuracy_high"], ""),
        ("macro F1", numbers["macro_f1"], numbers["macro_f1_low"], numbers["macro_f1_high"], ""),
    ]
    tested = [row for row in found.rows if row.images]
    for row in sorted(tested, key=lambda row: row.recall)[:3]:
        counts = f" ({row.correct:,} of {row.images:,})"
        rows.append((f"recall of {row.name}", row.recall, row.recall_low, row.recall_high, counts))
    rows.append(("calibration error", error.value, error.low, error.high, ""))
    if found.calibration.threshold is not None:
        counts = f" (confidence {found.calibration.threshold:.3f}; {answered.coverage:.1%} of the images)"
        precision = answered.precision, answered.precision_low, answered.precision_high
        rows.append(("correct where it answers", *precision, counts))
    width = max(len(label) for label, *_ in rows)
    lines = [f"evaluate: {numbers['images']:,} test images, {len(found.rows)} classes, {model}"]
    lines += [
        f"  {label:<{width}}  {value:6.1%}  {100 * found.confidence:g}% interval {low:.1%} to {high:.1%}{counts}"
        for label, value, low, high, counts in rows
    ]
    if found.calibration.threshold is None:
        target = f"{100 * found.calibration.target_precision:g}%"
        lines.append(
            f"  it always answers: no threshold of confidence guarantees that {target} of its answers are correct"
        )
    lines += [
        f"  weak slice: {each.words}, {each.accuracy:.1%} of {each.images:,} correct" for each in errors.slices[:3]
    ]
    if errors.suspects:
        lines.append(f"  labels to look at: {len(errors.suspects):,} of training and validation images")
    return "\n".join(lines)
