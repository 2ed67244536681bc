"""A comparison in sentences and numbers, for the page, and as Markdown for a terminal or a pull request."""

from collections.abc import Callable

from darkroom.compare.comparison import ClassChange, Comparison
from darkroom.drawing.markdown import bullets, code, table
from darkroom.runtime.text import printable
from darkroom.statistics.intervals import Estimate

# Classes of the table in Markdown, and paths of a list.
CLASSES, LISTED = 20, 5


def points(change: Estimate) -> str:
    """A difference of percentages in points: `+0.52 points (+0.11 to +0.93)`."""
    return f"{100 * change.value:+.2f} points ({100 * change.low:+.2f} to {100 * change.high:+.2f})"


def percentage(value: Estimate) -> str:
    """A percentage with its interval: `94.25% (93.78% to 94.69%)`."""
    return f"{value.value:.2%} ({value.low:.2%} to {value.high:.2%})"


def number(value: Estimate, signed: bool = False) -> str:
    """A number with its interval: `0.2457 (0.2357 to 0.2558)`."""
    form = "+.4f" if signed else ".4f"
    return f"{value.value:{form}} ({value.low:{form}} to {value.high:{form}})"


def p_value(p: float) -> str:
    """`p = 0.042`, or that it is below what three digits show."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def decision(found: Comparison, show: Callable[[str], str] = printable) -> tuple[str, str]:
    """Which model is better, and the numbers that decide it; `show` makes text of a name, `code` in Markdown."""
    before, after = show(found.before.name), show(found.after.name)
    numbers = (
        f"{found.after.accuracy.value:.2%} of {found.images:,} test images against {found.before.accuracy.value:.2%}: "
        f"{points(found.accuracy)}, McNemar {p_value(found.p)}."
    )
    if not found.differs:
        return f"There is no significant difference between {before} and {after}.", numbers
    return f"{after} is {'better' if found.accuracy.value > 0 else 'worse'} than {before}.", numbers


def class_summary(found: Comparison, show: Callable[[str], str] = printable) -> str:
    """Which classes changed significantly, in a sentence; `show` as for `decision`."""
    lines = [
        f"{len(changed):,} got {word} ({', '.join(show(each.name) for each in changed[:5])}{', …' if len(changed) > 5 else ''})"
        for word, changed in (
            ("worse", found.changed_classes(worse=True)),
            ("better", found.changed_classes(worse=False)),
        )
        if changed
    ]
    tested = f"{len(found.classes):,} classes"
    return f"Of {tested}, {' and '.join(lines)}." if lines else f"None of {tested} got significantly worse or better."


def missing(found: Comparison, show: Callable[[str], str] = printable) -> list[str]:
    """What only one model was tested on, a sentence each; `show` as for `decision`."""
    return [
        f"{len(paths):,} test {'image' if len(paths) == 1 else 'images'} of {show(name)} {'is' if len(paths) == 1 else 'are'} "
        f"left out, since {show(other)} was not tested on {'it' if len(paths) == 1 else 'them'}; the first is {show(paths[0])}."
        for name, other, paths in (
            (found.before.name, found.after.name, found.shared.only_before),
            (found.after.name, found.before.name, found.shared.only_after),
        )
        if paths
    ]


def tag(change: ClassChange, level: float) -> str:
    """`worse`, `better` or nothing."""
    if change.adjusted_p >= 1 - level:
        return ""
    return "worse" if change.only_before > change.only_after else "better"


def score_rows(found: Comparison) -> list[tuple[str, str, str, str]]:
    """Scores of both sides and their difference: name, before, after, change; a change without interval is empty."""
    old, new, f1 = found.before, found.after, found.macro_f1
    return [
        ("accuracy", percentage(old.accuracy), percentage(new.accuracy), points(found.accuracy)),
        ("macro F1", f"{f1.before:.2%}", f"{f1.after:.2%}", points(f1.difference)),
        ("log loss, nats", number(old.loss), number(new.loss), number(found.loss, signed=True)),
        ("Brier score", number(old.brier), number(new.brier), ""),
        ("calibration error", percentage(old.calibration_error), percentage(new.calibration_error), ""),
        ("area under the risk-coverage curve", f"{old.coverage.area:.4f}", f"{new.coverage.area:.4f}", ""),
    ]


def to_markdown(found: Comparison) -> str:
    """The whole text; equal comparisons give equal text."""
    finding, numbers = decision(found, code)
    sections = [
        f"## Models: {code(found.before.name)} → {code(found.after.name)}",
        f"**{finding}** {numbers}",
        class_summary(found, code),
        table(["Score", "Before", "After", f"Change ({100 * found.level:g}% interval)"], score_rows(found)),
        f"Correct in both {found.both_correct:,}, only before {len(found.lost):,}, only after {len(found.won):,}, in neither "
        f"{found.both_wrong:,} ({found.other_mistake:,} of them with another mistake).",
        _class_table(found),
        _flips("Correct before, wrong after", found, found.lost.tolist()),
        _flips("Wrong before, correct after", found, found.won.tolist()),
        "\n".join(f"> {sentence}  " for sentence in missing(found, code)),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _class_table(found: Comparison) -> str:
    changed = [each for each in found.classes if each.only_before or each.only_after]
    rows = [
        [
            code(each.name),
            f"{each.images:,}",
            f"{each.correct_before:,}",
            f"{each.correct_after:,}",
            points(each.recall),
            f"{each.adjusted_p:.3f}",
            tag(each, found.level),
        ]
        for each in changed[:CLASSES]
    ]
    if not rows:
        return ""
    more = f"\n\n{len(changed) - CLASSES:,} more classes changed." if len(changed) > CLASSES else ""
    return table(["Class", "Images", "Correct before", "After", "Recall", "p (Holm)", ""], rows) + more


def _flips(title: str, found: Comparison, rows: list[int]) -> str:
    if not rows:
        return ""
    names, shared = found.shared.classes.names, found.shared
    lines = [
        f"{code(shared.paths[row])} ({code(names[shared.labels[row]])}): {code(names[shared.before[row].argmax()])} "
        f"{shared.before[row].max():.1%} → {code(names[shared.after[row].argmax()])} {shared.after[row].max():.1%}"
        for row in rows[:LISTED]
    ]
    return bullets(title, len(rows), lines)
