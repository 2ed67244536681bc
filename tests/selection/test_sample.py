"""Samples: stratified, nested, and never of a class alone."""

import numpy as np

from darkroom.selection.sample import sample_rows


def test_each_class_has_its_part_and_rare_ones_enough_for_five_folds() -> None:
    labels = np.repeat([0, 1, 2], [700, 290, 10])
    rows = sample_rows(labels, 100, 0)
    assert np.bincount(labels[rows]).tolist() == [70, 29, 5]
    assert (np.diff(rows) > 0).all()
    assert (sample_rows(labels, 100, 0) == rows).all() and (sample_rows(labels, 100, 1) != rows).any()


def test_a_larger_sample_has_the_smaller_one_in_it_and_all_is_all() -> None:
    labels = np.arange(4_000) % 10
    small, large = sample_rows(labels, 128, 3), sample_rows(labels, 512, 3)
    assert set(small) < set(large) and 120 <= len(small) <= 136
    assert (sample_rows(labels, 4_000, 3) == np.arange(4_000)).all()


def test_of_many_classes_a_sample_has_some() -> None:
    labels = np.arange(9_000) % 300
    found = np.unique(labels[sample_rows(labels, 128, 0)], return_counts=True)
    assert len(found[0]) == 12 and set(found[1]) <= {10, 11}
    assert len(np.unique(labels[sample_rows(labels, 12, 0)])) == 2
