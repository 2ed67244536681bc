from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from darkroom.statistics.mcnemar import mcnemar
from darkroom.statistics.paired import accuracy_difference, holm, macro_f1_difference
from tests.support.predictions import Labels


@pytest.mark.parametrize(
    ("lost", "won", "images"), [(0.02, 0.02, 500), (0.05, 0.01, 300), (0.2, 0.1, 200), (0.003, 0.004, 2000)]
)
def test_the_interval_of_the_difference_covers(lost: float, won: float, images: int) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(images, [lost, won, 1 - lost - won], 4000)
    found = [accuracy_difference(int(a), int(b), images, 0.95) for a, b, _ in drawn]
    held = np.mean([each.low <= won - lost <= each.high for each in found])
    assert held == pytest.approx(0.95, abs=0.02)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_the_interval_holds_the_difference(lost: int, won: int, rest: int) -> None:
    images = lost + won + rest + 1
    found = accuracy_difference(lost, won, images, 0.95)
    assert found.value == (won - lost) / images
    assert -1 <= found.low <= found.value <= found.high <= 1 and found.low < found.high


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_lies_a_little_below_the_exact_test_and_takes_no_side(lost: int, won: int) -> None:
    p, mirrored = mcnemar(np.array([lost, won]), np.array([won, lost]))
    assert p == mirrored
    if lost + won == 0 or lost == won:
        assert p == pytest.approx(1)
        return
    exact = binomtest(lost, lost + won).pvalue
    assert p < exact
    assert p == pytest.approx(exact - comb(lost + won, lost) / 2 ** (lost + won))


def three_answers(images: int, rng: np.random.Generator) -> tuple[Labels, Labels, Labels]:
    """Labels and what two models say, of which the second is right a little more often; their mistakes are alike."""
    labels = rng.choice(4, images, p=[0.4, 0.3, 0.2, 0.1])
    hard = rng.random(images)
    other = (labels + rng.integers(1, 4, images)) % 4
    before = np.where(hard < 0.8, labels, other)
    return labels, before, np.where((hard < 0.83) ^ (rng.random(images) < 0.03), labels, other)


def test_macro_f1_equals_that_of_scikit_learn_and_its_difference_covers() -> None:
    rng = np.random.default_rng(0)
    labels, before, after = three_answers(400_000, rng)
    truth = f1_score(labels, after, average="macro") - f1_score(labels, before, average="macro")
    held, draws = 0, 120
    for _ in range(draws):
        labels, before, after = three_answers(300, rng)
        found = macro_f1_difference(labels, before, after, 4, 0.95)
        held += found.difference.low <= truth <= found.difference.high
    assert found.before == pytest.approx(f1_score(labels, before, average="macro"))
    assert found.after == pytest.approx(f1_score(labels, after, average="macro"))
    assert found.difference.value == pytest.approx(found.after - found.before)
    assert held / draws == pytest.approx(0.95, abs=0.04)
    assert macro_f1_difference(labels, before, after, 4, 0.95) == found


def test_a_model_is_no_better_than_itself_or_than_one_that_is_never_right() -> None:
    labels = np.array([0, 1, 2, 0])
    assert macro_f1_difference(labels, labels, labels, 3, 0.95).difference.high == 0
    worse = macro_f1_difference(labels, labels, (labels + 1) % 3, 3, 0.95)
    assert (worse.before, worse.after, worse.difference.value) == (1, 0, -1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_monotone_never_below_p_and_rejects_step_by_step(values: list[float]) -> None:
    p = np.array(values)
    adjusted = holm(p)
    assert (adjusted >= p).all() and (adjusted <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    # The procedure as Holm states it.
    rejected = set()
    for step, k in enumerate(order):
        if p[k] * (len(p) - step) >= 0.05:
            break
        rejected.add(int(k))
    assert set(np.flatnonzero(adjusted < 0.05).tolist()) == rejected


def test_with_holm_a_false_finding_is_as_rare_as_stated() -> None:
    p = np.random.default_rng(0).random((2000, 10))
    assert np.mean([(holm(row) < 0.05).any() for row in p]) == pytest.approx(0.05, abs=0.015)
