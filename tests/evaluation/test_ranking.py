import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
    top_k_accuracy_score,
)

from darkroom.evaluation.ranking import POINTS, Curve, precision_recall, roc, top_k
from tests.support.predictions import Labels, Probabilities, Source, answers

NAMES = "abcdef"


@settings(max_examples=40)
@given(answers(ties=False))
def test_top_k_equals_that_of_scikit_learn(case: tuple[Probabilities, Labels]) -> None:
    probabilities, labels = case
    classes = probabilities.shape[1]
    ks = range(1, classes + 1)
    found = top_k(probabilities, labels, ks, 0.95)
    for k, each in zip(ks, found, strict=True):
        scores = probabilities[:, 1] if classes == 2 else probabilities
        theirs = (
            top_k_accuracy_score(labels, scores, k=k, labels=range(classes)) if k < classes and classes > 2 else None
        )
        if theirs is not None:
            assert each.accuracy == pytest.approx(theirs)
        assert each.low <= each.accuracy <= each.high
    assert found[0].accuracy == (probabilities.argmax(axis=1) == labels).mean()
    assert found[-1].accuracy == 1


def test_of_equal_classes_the_first_goes_first() -> None:
    even = np.full((3, 3), 1 / 3, np.float32)
    assert [each.accuracy for each in top_k(even, np.array([0, 1, 2]), (1, 2, 3), 0.95)] == pytest.approx(
        [1 / 3, 2 / 3, 1]
    )


@settings(max_examples=40)
@given(answers())
def test_areas_equal_those_of_scikit_learn(case: tuple[Probabilities, Labels]) -> None:
    probabilities, labels = case
    classes = probabilities.shape[1]
    positive = labels[:, None] == np.arange(classes)
    tested = [k for k in range(classes) if 0 < positive[:, k].sum() < len(labels)]
    for curves, theirs in (
        (roc(probabilities, labels, NAMES[:classes], 0.95), roc_auc_score),
        (precision_recall(probabilities, labels, NAMES[:classes], 0.95), average_precision_score),
    ):
        if not tested:
            assert curves == []
            continue
        each = [theirs(positive[:, k], probabilities[:, k]) for k in tested]
        micro = theirs(positive.ravel(), probabilities.ravel())
        assert [curve.name for curve in curves] == ["macro average", "micro average", *(NAMES[k] for k in tested)]
        np.testing.assert_allclose([curve.area for curve in curves], [np.mean(each), micro, *each], rtol=0, atol=1e-9)
        for curve in curves:
            assert 0 <= curve.area_low <= curve.area + 1e-12 and curve.area - 1e-12 <= curve.area_high <= 1
            assert len(curve.x) == len(curve.y) <= POINTS


def test_the_points_are_those_of_scikit_learn() -> None:
    probabilities, labels = Source((0.5, 0.3, 0.2), 1).draw(90, np.random.default_rng(0))
    probabilities = probabilities.round(2)
    curve = roc(probabilities, labels, NAMES[:3], 0.95)[3]
    false, true, _ = roc_curve(labels == 1, probabilities[:, 1], drop_intermediate=False)
    np.testing.assert_allclose([curve.x, curve.y], [false, true])
    curve = precision_recall(probabilities, labels, NAMES[:3], 0.95)[3]
    precision, recall, _ = precision_recall_curve(labels == 1, probabilities[:, 1])
    np.testing.assert_allclose([curve.x, curve.y], [recall[::-1], precision[::-1]])


def test_thinned_curves_look_the_same() -> None:
    probabilities, labels = Source((0.5, 0.3, 0.2), 1).draw(20_000, np.random.default_rng(0))
    drawn = roc(probabilities, labels, NAMES[:3], 0.95)
    for k, curve in enumerate(drawn[2:]):
        false, true, _ = roc_curve(labels == k, probabilities[:, k])
        assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
        # Everything left out lies within a hundredth of a point that is shown, in steps across and up.
        shown = np.stack([curve.x, curve.y])
        for place in np.stack([false, true], axis=1)[::37]:
            assert np.abs(shown - place[:, None]).sum(axis=0).min() <= 0.0101
    # The macro curve is the mean of the others.
    for x, y in zip(drawn[0].x[::20], drawn[0].y[::20], strict=True):
        heights = [np.interp(x, *roc_curve(labels == k, probabilities[:, k])[:2]) for k in range(3)]
        assert y == pytest.approx(np.mean(heights), abs=0.01)


@pytest.mark.parametrize("measure", [roc, precision_recall])
@pytest.mark.parametrize(("gap", "images"), [(0.8, 300), (2.5, 600)])
def test_the_intervals_of_areas_cover(measure, gap: float, images: int) -> None:  # type: ignore[no-untyped-def]
    source = Source((0.4, 0.3, 0.2, 0.1), gap)
    rng = np.random.default_rng(0)
    truth: list[Curve] = measure(*source.draw(100_000, rng), NAMES[:4], 0.95)
    draws = 250
    held = np.zeros(len(truth))
    for _ in range(draws):
        found: list[Curve] = measure(*source.draw(images, rng), NAMES[:4], 0.95)
        held += [each.area_low <= true.area <= each.area_high for each, true in zip(found, truth, strict=True)]
    # Two averages, and four classes of which one has a tenth of the images; 250 draws are good to some points for each.
    assert held.mean() / draws == pytest.approx(0.95, abs=0.02)
    assert (held / draws > 0.9).all(), held / draws


@pytest.mark.parametrize("images", range(5, 12))
def test_a_perfect_order_is_no_certainty(images: int) -> None:
    labels = np.repeat([0, 1], images)
    for measure in (roc, precision_recall):
        for curve in measure(np.eye(2, dtype=np.float32)[labels], labels, NAMES[:2], 0.95):
            assert (curve.area, curve.area_high) == (1, 1) and 0.5 < curve.area_low < 0.9
