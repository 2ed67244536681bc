"""A planted weak slice is found; where facts do not matter nothing is found more often than promised."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact, hypergeom

from darkroom.evaluation.slice_candidates import Column, slice_facts
from darkroom.evaluation.slice_tests import Counts, adjusted, exact_test
from darkroom.evaluation.slices import find_slices
from darkroom.images.manifest import MANIFEST
from darkroom.runtime.errors import DarkroomError

DIGITS = [str(digit) for digit in range(10)]

Bools = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]


def clean_set(images: int, seed: int) -> tuple[dict[str, Column], Int64s, Bools]:
    """Classes from easy to hard, of different brightness: within a class the facts do not matter."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 10, images)
    brightness = np.clip(0.3 + 0.04 * labels + draw.normal(0, 0.1, images), 0, 1)
    facts: dict[str, Column] = {
        "brightness": brightness,
        "contrast": 0.5 * brightness + draw.normal(0, 0.02, images),
        "sharpness": draw.lognormal(5, 1, images),
        "folder": draw.choice(["north", "south", "west"], images, p=[0.6, 0.3, 0.1]),
    }
    return facts, labels, draw.random(images) < 0.99 - 0.02 * labels


def test_a_dark_part_of_a_class_is_found() -> None:
    facts, labels, correct = clean_set(2_000, seed=0)
    dark = np.flatnonzero(labels == 3)[:60]
    facts["brightness"][dark] = facts["brightness"][dark].astype(np.float64) * 0.3
    correct[dark] = np.arange(60) % 3 == 0
    first, *others = find_slices(facts, labels, correct, DIGITS, 0.95)
    assert first.words.startswith("class 3, brightness below 0.") and first.class_name == "3"
    assert first.column == "brightness" and len(np.intersect1d(first.rows, dark)) > 45
    assert first.accuracy_low < first.accuracy < 0.5 < first.accuracy_high + 0.2
    assert first.rest_accuracy == pytest.approx(0.92, abs=0.05)
    assert first.p <= first.adjusted_p < 1e-6
    # Darkness in all classes, or less contrast, is the same finding, said worse.
    assert len(others) <= 1
    assert first.accuracy == correct[first.rows].mean() and first.images == len(first.rows)


def test_a_class_that_is_dark_in_all_of_the_test_is_held_against_validation() -> None:
    facts, labels, correct = clean_set(3_000, seed=1)
    tested = np.arange(3_000) < 1_800
    dark = np.flatnonzero((labels == 3) & tested)
    facts["brightness"][dark] = facts["brightness"][dark].astype(np.float64) * 0.3
    correct[dark] = np.arange(len(dark)) % 3 == 0
    # Such a word tells the same images apart, and tells nothing of them.
    facts["folder"] = np.where(tested, "test", "train")
    first, *_ = find_slices(facts, labels, correct, DIGITS, 0.95, tested=tested)
    assert first.words.startswith("class 3, brightness below 0.")
    assert tested[first.rows].all() and first.accuracy < 0.5 < first.rest_accuracy
    alone = {name: values[tested] for name, values in facts.items()}
    assert not find_slices(alone, labels[tested], correct[tested], DIGITS, 0.95), "nothing to compare with"


def test_a_weak_folder_is_found_once_and_not_class_by_class() -> None:
    facts, labels, correct = clean_set(2_000, seed=2)
    west = np.flatnonzero(facts["folder"] == "west")
    correct[west[: len(west) // 2]] = False
    found = find_slices(facts, labels, correct, DIGITS, 0.95)
    assert [(one.words, one.class_name) for one in found] == [("folder west", None)]
    assert found[0].rows.tolist() == west.tolist()


def test_a_hard_class_is_no_slice_of_what_it_looks_like() -> None:
    """Class 9 is bright and mostly wrong; brightness itself costs nothing."""
    facts, labels, correct = clean_set(2_000, seed=3)
    correct[labels == 9] = np.random.default_rng(3).random(int((labels == 9).sum())) < 0.3
    assert not find_slices(facts, labels, correct, DIGITS, 0.95)


def test_slices_on_clean_data_are_no_more_frequent_than_promised() -> None:
    """60 sets at a level of 20%: 12 with a slice are to be expected at most, and more than 20 in 1 of 200 such tests."""
    found_any = 0
    for seed in range(60):
        facts, labels, correct = clean_set(400, seed)
        found_any += bool(find_slices(facts, labels, correct, DIGITS, 0.95, level=0.2))
    assert found_any <= 20


def test_what_is_unknown_is_in_no_slice() -> None:
    facts, labels, correct = clean_set(1_000, seed=4)
    brightness = np.asarray(facts["brightness"], np.float64)
    brightness[:500] = np.nan
    correct[:500] = False
    dates = np.datetime64("2024-03-01", "s") + np.arange(1_000).astype("timedelta64[h]")
    dates[500:] = np.datetime64("NaT")
    late = np.arange(400, 500)
    correct[:400] = np.arange(400) % 10 > 0
    facts = {"brightness": brightness, "date": dates, "empty": np.full(1_000, "", np.str_)}
    found = find_slices(facts, labels, correct, DIGITS, 0.95)
    assert [one.words for one in found] == ["date from 2024-03-17"]
    assert len(np.intersect1d(found[0].rows, late)) > 90 and found[0].rows.max() < 500


def test_one_value_for_each_image() -> None:
    with pytest.raises(DarkroomError, match="3 values of brightness for 2 labels"):
        find_slices({"brightness": np.zeros(3)}, np.zeros(2, np.int64), np.ones(2, bool), DIGITS, 0.95)


@given(st.integers(1, 60), st.data())
def test_one_class_is_fishers_exact_test(images: int, data: st.DataObject) -> None:
    wrong, inside = data.draw(st.integers(0, images)), data.draw(st.integers(0, images))
    low, high = max(0, wrong + inside - images), min(wrong, inside)
    seen = data.draw(st.integers(low, high))
    p, least = exact_test(Counts(*(np.array([number]) for number in (0, images, wrong, inside, seen))))
    table = [[seen, inside - seen], [wrong - seen, images - inside - wrong + seen]]
    assert p == pytest.approx(fisher_exact(table, alternative="greater").pvalue, rel=1e-8)
    assert least == pytest.approx(hypergeom.pmf(high, images, wrong, inside), rel=1e-8)


def test_several_classes_are_the_sum_of_their_chances() -> None:
    """Against drawing: 100,000 times the mistakes of three classes fall on their images blindly."""
    images, wrong, inside = np.array([50, 30, 20]), np.array([5, 12, 1]), np.array([20, 10, 4])
    drawn = np.random.default_rng(0).hypergeometric(wrong, images - wrong, inside, (100_000, 3)).sum(axis=1)
    p, _ = exact_test(Counts(np.arange(3), images, wrong, inside, np.array([4, 5, 0])))
    share = (drawn >= 9).mean()
    assert p == pytest.approx(share, abs=5 * (share / 100_000) ** 0.5)


def test_tests_that_can_not_come_out_are_not_allowed_for() -> None:
    hopeless = [(0.5, 0.3)] * 1_000
    assert adjusted([(0.01, 0.001), *hopeless], 0.05).tolist() == [0.01] + [1.0] * 1_000
    assert adjusted([(0.01, 0.0)] * 4, 0.05).tolist() == [0.04] * 4
    # Two could reach half of the level, and one of them a whole one.
    assert adjusted([(0.02, 0.02), (0.04, 0.04)], 0.05).tolist() == [0.02, 1.0]
    assert adjusted([], 0.05).tolist() == []


def table(**columns: list[object]) -> pa.Table:
    """Rows as the table of predictions has them; what is not given is the same for all."""
    count = len(next(iter(columns.values())))
    plain: dict[str, list[object]] = {name: [None] * count for name in MANIFEST.names}
    plain |= {name: [1] * count for name in ("width", "height", "bytes", "brightness", "contrast", "sharpness")}
    return pa.table(plain | columns).select(MANIFEST.names).cast(MANIFEST)


def test_facts_that_differ_between_images() -> None:
    rows = table(
        path=["b/north/cat/1.png", "a/cat/2.png", "a/dog/3.png"],
        width=[100, 50, 80],
        height=[50, 100, 80],
        brightness=[0.5, 0.25, None],
        source_split=["train", None, "test"],
        format=["JPEG"] * 3,
    )
    facts = slice_facts(rows.take([2, 0]), ["cat", "dog"])
    assert sorted(facts) == ["brightness", "folder", "shorter side in pixels", "split of the source", "width to height"]
    assert facts["folder"].tolist() == ["a", "b/north"]
    assert facts["shorter side in pixels"].tolist() == [80, 50] and facts["width to height"].tolist() == [1, 2]
    assert np.isnan(facts["brightness"].astype(float)).tolist() == [True, False]
    assert slice_facts(rows, ["cat", "dog"])["split of the source"].tolist() == ["train", "", "test"]
