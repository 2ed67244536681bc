"""The checks that hold the candidate against another model on the same images: accuracy, classes and slices, calibration."""

from dataclasses import dataclass

import numpy as np

from darkroom.gate.reasons import Reason, margin_words, points
from darkroom.gate.scores import Pairs, Scores
from darkroom.gate.sides import Side
from darkroom.runtime.arrays import Bools, Float32s, Int64s
from darkroom.runtime.text import count
from darkroom.statistics.calibration import BINS
from darkroom.statistics.intervals import Estimate
from darkroom.statistics.paired import holm
from darkroom.statistics.paired_score import beyond, detectable_difference, images_needed, paired_interval

# Of each interval; the test of accuracy and the one by labels of disagreements can each err in 2.5% of the cases.
CONFIDENCE = 0.95
ALPHA = 0.05
RESAMPLES = 1_000
# Of the margin, beside the anchor. With the whole of it, 52 candidates that are each 0.05 points worse than the champion ended
# 0.78 points lower with 10,000 test images, and with the half 0.31 (`python -m benchmarks.gate`).
ANCHOR_PART = 0.5


@dataclass(frozen=True)
class Labels:
    """What labels of disagreements show, by betting.

    Attributes:
        used: labels that count.
        within: whether they show that the candidate is within the margin.
        worse: whether they show that it is worse.
        strength: how strongly they show that it is within the margin; 40 is enough.
    """

    used: int
    within: bool
    worse: bool
    strength: float


NO_LABELS = Labels(0, False, False, 1.0)


def difference(pairs: Pairs, within: Bools | None = None) -> Estimate:
    """Accuracy of the second model less that of the first, with Tango's score interval; of no image it is unknown."""
    lost, won, images = pairs.counts(within)
    if not images:
        return Estimate(0.0, -1.0, 1.0)
    low, high = paired_interval(lost, won, images, CONFIDENCE)
    return Estimate((won - lost) / images, -high, -low)


def accuracy_check(check: str, reference: Side, pairs: Pairs, margin: float, labels: Labels = NO_LABELS) -> Reason:
    """Whether the candidate is shown to lose at most `margin` of accuracy.

    Args:
        check: its name.
        reference: the model to hold it against.
        pairs: both on the same images.
        margin: of accuracy.
        labels: of images without labels so far, on which the two differ.
    """
    found, (lost, won, images) = difference(pairs), pairs.counts()
    shown, worse = found.low >= -margin or labels.within, found.high < 0 or labels.worse
    numbers = {
        "reference": reference.title,
        "images": images,
        "trained_on": pairs.trained_on,
        "lost": lost,
        "won": won,
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "margin": margin,
        "better": found.low > 0,
        "labels": labels.used,
        "labels_strength": labels.strength,
    }
    left_out = f", without {pairs.trained_on:,} that {reference.title} was trained on" if pairs.trained_on else ""
    words = (
        f"{points(found.value)} points ({points(found.low)} to {points(found.high)}) beside {reference.title} on "
        f"{count(images, 'test image')}{left_out}: {lost:,} lost, {won:,} won"
    )
    by_labels = f" by {count(labels.used, 'label')} of images on which the two differ" if labels.within else ""
    if shown:
        return Reason(check, True, f"{words}. It loses at most {margin_words(margin)}{by_labels}.", numbers)
    if worse:
        return Reason(check, False, f"{words}. It is worse, and may lose more than {margin_words(margin)}.", numbers)
    needed = images_needed(lost + won, images, margin) if images else 0
    more = f"; some {needed:,} such images would show it of an equal model" if images else ""
    return Reason(
        check, False, f"{words}. That it loses at most {margin_words(margin)} is not shown{more}.", numbers, "hold"
    )


@dataclass(frozen=True)
class SliceChange:
    """The candidate beside the champion on some of the images.

    Attributes:
        kind: `class` or `images`.
        name: of the class; `old` or `new` for images that the champion's data had, or did not have.
        images, lost, won: counts.
        change: of recall, or of accuracy.
        adjusted_p: of a loss beyond the margin, after Holm's correction over all slices.
    """

    kind: str
    name: str
    images: int
    lost: int
    won: int
    change: Estimate
    adjusted_p: float


def slice_changes(scores: Scores, pairs: Pairs, margin: float) -> list[SliceChange]:
    """Every class, and old and new images, the largest loss first."""
    labels = scores.labels[pairs.rows]
    slices = [("class", scores.classes.names[k], labels == k) for k in np.unique(labels).tolist()]
    if pairs.old is not None:
        slices += [("images", name, of) for name, of in (("old", pairs.old), ("new", ~pairs.old)) if of.any()]
    counts = [pairs.counts(of) for _, _, of in slices]
    adjusted = holm(np.array([beyond(*each, margin) for each in counts], np.float64))
    changes = [
        SliceChange(kind, name, images, lost, won, difference(pairs, of), float(p))
        for (kind, name, of), (lost, won, images), p in zip(slices, counts, adjusted, strict=True)
    ]
    return sorted(changes, key=lambda each: (each.adjusted_p, each.change.value))


def slices_check(changes: list[SliceChange], margin: float) -> Reason:
    """Whether no class and no slice is shown to lose more than `margin`."""
    worse = [each for each in changes if each.adjusted_p < ALPHA]
    numbers = {
        "margin": margin,
        "tested": len(changes),
        "worse": [
            {
                "kind": each.kind,
                "name": each.name,
                "images": each.images,
                "lost": each.lost,
                "won": each.won,
                "difference": each.change.value,
                "p": each.adjusted_p,
            }
            for each in worse
        ],
    }
    if not worse:
        words = f"None of {count(len(changes), 'class or slice', 'classes and slices')} is shown to lose more than"
        return Reason("classes and slices", True, f"{words} {margin_words(margin)}.", numbers)
    listed = ", ".join(f"{_title(each)} {points(each.change.value)} points" for each in worse[:3])
    more = f" and {len(worse) - 3:,} more" if len(worse) > 3 else ""
    return Reason("classes and slices", False, f"More than {margin_words(margin)} is lost: {listed}{more}.", numbers)


def _title(change: SliceChange) -> str:
    return f"class {change.name}" if change.kind == "class" else f"{change.name} images"


def calibration_check(scores: Scores, pairs: Pairs, champion: Side, candidate: Side, margin: float) -> Reason:
    """Whether the candidate's expected calibration error is not shown to be larger by more than `margin`."""
    labels = scores.labels[pairs.rows]
    before, after = (scores.probabilities[side.fingerprint][pairs.rows] for side in (champion, candidate))
    errors, change = calibration_change(before, after, labels)
    numbers = {"before": errors[0], "after": errors[1], "low": change.low, "high": change.high, "margin": margin}
    passed = change.low <= margin
    words = (
        f"The calibration error is {errors[1]:.2%}, and {errors[0]:.2%} for {champion.title}: {points(change.value)} points "
        f"({points(change.low)} to {points(change.high)})"
    )
    return Reason("calibration", passed, f"{words}{'' if passed else f', more than {margin_words(margin)}'}.", numbers)


def calibration_change(before: Float32s, after: Float32s, labels: Int64s) -> tuple[tuple[float, float], Estimate]:
    """The expected calibration errors of two models on the same images, and the second less the first.

    The interval is that of a paired bootstrap: both models are scored on the same resampled images.

    Args:
        before, after: probabilities float32 [N, K], N at least 1.
        labels: int64 [N].
    """
    gaps, bins = [], []
    for probabilities in (before, after):
        confidence = probabilities.max(axis=1).astype(np.float64)
        gaps.append(confidence - (probabilities.argmax(axis=1) == labels))
        bins.append(np.minimum((confidence * BINS).astype(np.int64), BINS - 1))
    generator, images = np.random.default_rng(0), len(labels)
    values = [float(np.abs(np.bincount(bin, gap, BINS)).sum() / images) for bin, gap in zip(bins, gaps, strict=True)]
    drawn = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        weights = np.bincount(generator.integers(images, size=images), minlength=images)
        old, new = (np.abs(np.bincount(bin, weights * gap, BINS)).sum() for bin, gap in zip(bins, gaps, strict=True))
        drawn[number] = (new - old) / images
    low, high = np.quantile(drawn, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    change = values[1] - values[0]
    return (values[0], values[1]), Estimate(change, min(float(low), change), max(float(high), change))


def detectable(pairs: Pairs) -> float | None:
    """The margin that this test set can show for an equal model in four of five cases; None without images."""
    lost, won, images = pairs.counts()
    return detectable_difference(lost + won, images) if images else None
