"""Weak slices: kinds of images that a model predicts worse than the other images of the same classes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from darkroom.evaluation.slice_candidates import Candidate, Column, candidates
from darkroom.evaluation.slice_tests import Counts, adjusted, exact_test, testable
from darkroom.runtime.arrays import Bools, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.intervals import wilson

# Of fewer test images an accuracy says next to nothing.
LEAST_IMAGES = 10

# A word that separates test images from the others in more cases than this is only another name for the split.
SAME_AS_SPLIT = 0.95


@dataclass(frozen=True)
class Slice:
    """A kind of images that is predicted worse than the rest, beyond chance.

    Attributes:
        column: the fact that defines it, such as `brightness`.
        words: for people, such as `class 3, brightness below 0.21`.
        class_name: of the class where the slice is of one class alone, else None.
        images: test images in it.
        accuracy, accuracy_low, accuracy_high: of these, with Wilson's interval.
        rest_accuracy: of the images outside it, each class weighted as in the slice: what the slice would have if the fact
            did not matter.
        p: of the exact test of this slice alone, one-sided.
        adjusted_p: after allowing for all slices that were looked at; at most the level.
        rows: int64 [images], positions among the images given, ascending.
    """

    column: str
    words: str
    class_name: str | None
    images: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    rest_accuracy: float
    p: float
    adjusted_p: float
    rows: Int64s


@dataclass(frozen=True)
class _Found:
    """Attributes:
    largest_p: that is beyond chance among the slices that this was looked for with.
    """

    candidate: Candidate
    counts: Counts
    p: float
    adjusted_p: float
    largest_p: float


def find_slices(
    facts: Mapping[str, Column],
    labels: Int64s,
    correct: Bools,
    class_names: Sequence[str],
    confidence: float,
    level: float = 0.05,
    tested: Bools | None = None,
) -> list[Slice]:
    """The weak slices of a test set, the largest excess of mistakes first; an empty list where chance explains all differences.

    Looked at are the ends and the middle of each number and each value of each word, over all classes and within each one.
    Each is compared with the other images of its classes by an exact test (`exact_test`); the slices over all classes and
    those within one have half of the level each (`adjusted`). Of slices that share their mistakes one stays: a slice over all
    classes that is weak by one class alone gives way to that class's own, and then the largest excess comes first and another
    slice follows only if it is weak without those images, too. Chung et al. 2019 ("Slice Finder",
    https://arxiv.org/abs/1807.06068) search alike, with other tests.

    Args:
        facts: by name, as `darkroom.evaluation.slice_candidates.slice_facts` gives them.
        labels: int64 [N].
        correct: bool [N], whether the model predicted the label.
        class_names: K, in class-list order.
        confidence: of the accuracies' intervals.
        level: the probability of finding any slice at all where facts do not matter.
        tested: bool [N], which images are of the test split; the others (those of validation) only serve to compare with:
            without them there is no comparison for a class whose test images are all dark. All by default.

    Raises:
        DarkroomError: when a fact, or `correct`, has not one value for each label.
    """
    tested = np.ones(len(labels), dtype=bool) if tested is None else tested
    for name, values in {"correct": correct, "tested": tested, **facts}.items():
        if len(values) != len(labels):
            raise DarkroomError(f"{len(values):,} values of {name} for {len(labels):,} labels: give one for each image")
    facts = {name: values for name, values in facts.items() if not _is_the_split(values, tested)}
    wrong = ~correct
    general, special = (
        _significant(candidates(facts, labels, within), labels, wrong, tested, level / 2) for within in (False, True)
    )
    weak_classes = {one.candidate.label for one in special}
    found = special + [one for one in general if not _of_one_class(one) & weak_classes]
    found.sort(key=lambda one: (-one.counts.excess, one.candidate.words))
    explained = np.zeros(len(labels), dtype=bool)
    slices = []
    for one in found:
        rows = one.candidate.population[one.candidate.inside]
        if explained.any() and exact_test(_counts(one.candidate, labels, wrong, ~explained))[0] > one.largest_p:
            continue
        weak = _described(one, rows[tested[rows]], correct, class_names, confidence)
        # Weak among the images that were only compared with says nothing of the test.
        if weak.accuracy < weak.rest_accuracy:
            slices.append(weak)
            explained[rows] = True
    return slices


def _is_the_split(values: Column, tested: Bools) -> bool:
    """The folder `test` of a data set with splits of its own would hide what makes its images weak."""
    if values.dtype.kind != "U" or tested.all():
        return False
    return any(((values == value) == tested).mean() > SAME_AS_SPLIT for value in np.unique(values))


def _significant(kinds: Iterable[Candidate], labels: Int64s, wrong: Bools, tested: Bools, level: float) -> list[_Found]:
    every = np.ones(len(labels), dtype=bool)
    large = [one for one in kinds if tested[one.population[one.inside]].sum() >= LEAST_IMAGES]
    counts = [_counts(one, labels, wrong, every) for one in large]
    tests = [exact_test(one) for one in counts]
    # Half of the level each: doubled, the adjusted probability is held against the whole.
    among = 2 * adjusted(tests, level)
    largest = level / max(1, int(testable(tests, level).sum()))
    return [
        _Found(candidate, number, p, float(among_all), largest)
        for candidate, number, (p, _), among_all in zip(large, counts, tests, among, strict=True)
        if among_all <= 2 * level
    ]


def _of_one_class(found: _Found) -> set[int | None]:
    """The class without which the slice would not be weak, where there is one."""
    label = int(found.counts.labels[found.counts.surplus.argmax()])
    return {label} if exact_test(found.counts.without(label))[0] > found.largest_p else set()


def _counts(candidate: Candidate, labels: Int64s, wrong: Bools, counted: Bools) -> Counts:
    """Of the images that count, by class; only the classes that the slice has images of."""
    keep = counted[candidate.population]
    rows, inside = candidate.population[keep], candidate.inside[keep]
    label, miss = labels[rows], wrong[rows]
    kinds = int(labels.max()) + 1
    sums = [np.bincount(label[part], minlength=kinds) for part in (slice(None), miss, inside, miss & inside)]
    present = sums[2] > 0
    return Counts(np.flatnonzero(present), *(each[present] for each in sums))


def _described(found: _Found, rows: Int64s, correct: Bools, class_names: Sequence[str], confidence: float) -> Slice:
    """Args:
    rows: the test images of the slice.
    """
    class_name = None if found.candidate.label is None else class_names[found.candidate.label]
    hits, counts = int(correct[rows].sum()), found.counts
    outside = counts.images - counts.inside
    rest = np.divide(counts.wrong - counts.wrong_inside, outside, out=np.zeros(len(outside)), where=outside > 0)
    weights = counts.inside * (outside > 0)
    low, high = wilson(hits, len(rows), confidence)
    return Slice(
        column=found.candidate.column,
        words=found.candidate.words if class_name is None else f"class {class_name}, {found.candidate.words}",
        class_name=class_name,
        images=len(rows),
        accuracy=hits / len(rows),
        accuracy_low=float(low),
        accuracy_high=float(high),
        rest_accuracy=float(1 - (weights * rest).sum() / weights.sum()),
        p=found.p,
        adjusted_p=found.adjusted_p,
        rows=rows,
    )
