import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_recall_fscore_support

from darkroom.statistics.metrics import accuracy, averages, class_scores, confusion_counts, negative_log_likelihoods

Labels = npt.NDArray[np.int64]


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Labels, Labels, int]:
    """Labels and answers over some classes, of which some may never occur."""
    classes = draw(st.integers(2, 8))
    images = draw(st.integers(1, 60))
    labels = hnp.arrays(np.int64, images, elements=st.integers(0, classes - 1))
    return draw(labels), draw(labels), classes


@given(predictions())
def test_metrics_equal_those_of_scikit_learn(case: tuple[Labels, Labels, int]) -> None:
    actual, predicted, classes = case
    counts = confusion_counts(actual, predicted, classes)
    assert np.array_equal(counts, confusion_matrix(actual, predicted, labels=range(classes)))
    assert accuracy(counts) == pytest.approx(accuracy_score(actual, predicted))

    scores = class_scores(counts)
    precision, recall, f1, support = precision_recall_fscore_support(
        actual, predicted, labels=range(classes), zero_division=0
    )
    np.testing.assert_allclose(scores.precision, precision)
    np.testing.assert_allclose(scores.recall, recall)
    np.testing.assert_allclose(scores.f1, f1)
    assert np.array_equal(scores.support, support)

    means = averages(scores)
    for average in ("macro", "weighted"):
        ours = [means[f"{average}_{name}"] for name in ("precision", "recall", "f1")]
        theirs = precision_recall_fscore_support(actual, predicted, average=average, zero_division=0)[:3]
        np.testing.assert_allclose(ours, theirs)


def test_log_loss_equals_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    actual = rng.integers(0, 4, 200)
    probabilities = rng.dirichlet(np.ones(4), 200).astype(np.float32)
    exact = probabilities.astype(np.float64)
    theirs = log_loss(actual, exact / exact.sum(axis=1, keepdims=True), labels=range(4))
    assert negative_log_likelihoods(probabilities, actual).mean() == pytest.approx(theirs, rel=1e-6)


def test_a_certain_mistake_has_a_finite_loss_and_a_certain_answer_none() -> None:
    losses = negative_log_likelihoods(np.array([[1, 0], [1, 0]], np.float32), np.array([1, 0]))
    assert np.isfinite(losses).all() and losses[0] > 80
    assert f"{losses[1]}" == "0.0"
