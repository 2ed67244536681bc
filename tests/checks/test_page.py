"""The page of a data set: what it draws counts every image once, what it shows comes from the class that it names."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from darkroom.checks.page import SIZES, size_counts
from darkroom.checks.samples import SAMPLES, SAMPLES_OF_A_CLASS, pick_samples

SIDES = st.integers(1, 5000)


@given(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=60))
def test_every_image_is_in_one_size(sizes: list[tuple[int, int]]) -> None:
    images = pd.DataFrame(sizes, columns=["width", "height"])
    images["shorter_side"] = images.min(axis=1)
    counted = size_counts(images)
    assert sum(number for _, number in counted) == len(images)
    assert len(counted) <= SIZES and len({name for name, _ in counted}) == len(counted)


@given(st.lists(st.sampled_from("abc"), max_size=60), st.integers(0, 200))
def test_samples_are_rows_of_their_class_each_once_and_few(labels: list[str], empty_classes: int) -> None:
    classes = ["a", "b", "c", *(f"empty {number}" for number in range(empty_classes))]
    picked = pick_samples(pd.DataFrame({"label": labels}, dtype=str), classes)
    assert len(set(picked)) == len(picked) <= SAMPLES
    for label in "abc":
        shown = sum(labels[row] == label for row in picked)
        assert shown <= SAMPLES_OF_A_CLASS and (shown > 0) == (label in labels)
