"""A comparison in plain sentences and numbers, as text and page both say them."""

from darkroom.compare.comparison import ClassChange, Comparison
from darkroom.statistics.intervals import Estimate


def points(change: Estimate) -> str:
    """A difference of shares in points: `+0.52 points (+0.11 to +0.93)`."""
    return f"{100 * change.value:+.2f} points ({100 * change.low:+.2f} to {100 * change.high:+.2f})"


def shares(value: Estimate) -> str:
    """A share with its interval: `94.25% (93.78% to 94.69%)`."""
    return f"{value.value:.2%} ({value.low:.2%} to {value.high:.2%})"


def plain(value: Estimate, signed: bool = False) -> str:
    """A number with its interval: `0.2457 (0.2357 to 0.2558)`."""
    form = "+.4f" if signed else ".4f"
    return f"{value.value:{form}} ({value.low:{form}} to {value.high:{form}})"


def chance(p: float) -> str:
    """`p = 0.042`, or that it is below what three digits show."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def verdict(found: Comparison) -> tuple[str, str]:
    """What comes out, and why that can be said."""
    before, after = found.before.name, found.after.name
    numbers = (
        f"{found.after.accuracy.value:.2%} of {found.images:,} test images against {found.before.accuracy.value:.2%}: "
        f"{points(found.accuracy)}, McNemar {chance(found.p)}."
    )
    if not found.differs:
        return f"{after} is not seen to be better or worse than {before}.", numbers
    return f"{after} is {'better' if found.accuracy.value > 0 else 'worse'} than {before}.", numbers


def class_verdict(found: Comparison) -> str:
    """Which classes changed by more than chance, in a sentence."""
    told = [
        f"{len(changed):,} got {word} ({', '.join(each.name for each in changed[:5])}{', …' if len(changed) > 5 else ''})"
        for word, changed in (
            ("worse", found.changed_classes(worse=True)),
            ("better", found.changed_classes(worse=False)),
        )
        if changed
    ]
    tested = f"{len(found.classes):,} classes"
    return f"Of {tested}, {' and '.join(told)}." if told else f"None of {tested} is seen to have got worse or better."


def missing(found: Comparison) -> list[str]:
    """What one side alone answered, a sentence each."""
    return [
        f"{len(paths):,} test {'image' if len(paths) == 1 else 'images'} of {name} {'is' if len(paths) == 1 else 'are'} left "
        f"out, since {other} did not answer {'it' if len(paths) == 1 else 'them'}; the first is {paths[0]}."
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
        ("accuracy", shares(old.accuracy), shares(new.accuracy), points(found.accuracy)),
        ("macro F1", f"{f1.before:.2%}", f"{f1.after:.2%}", points(f1.difference)),
        ("log loss, nats", plain(old.loss), plain(new.loss), plain(found.loss, signed=True)),
        ("Brier score", plain(old.brier), plain(new.brier), ""),
        ("calibration error", shares(old.calibration_error), shares(new.calibration_error), ""),
        ("area under risk and coverage", f"{old.coverage.area:.4f}", f"{new.coverage.area:.4f}", ""),
    ]
