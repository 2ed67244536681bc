"""Chance is counted, not drawn: the same for an image whatever stands beside it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.seeding import seed_of, uniform_per_image

KEYS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50)


@given(KEYS, st.integers(0, 100), st.integers(0, 100))
def test_an_image_draws_the_same_alone_and_in_company(keys: list[int], seed: int, epoch: int) -> None:
    together = uniform_per_image(np.array(keys, dtype=np.uint64), "flip", seed, epoch)
    alone = [uniform_per_image(np.array([key], dtype=np.uint64), "flip", seed, epoch)[0] for key in keys]
    assert together.tolist() == alone
    assert ((together >= 0) & (together < 1)).all()


def test_draws_are_uniform_and_those_of_two_purposes_independent() -> None:
    keys = np.arange(100_000, dtype=np.uint64)
    one, other = uniform_per_image(keys, "flip", 0, 1), uniform_per_image(keys, "flip", 0, 2)
    shares = np.histogram(one, bins=10, range=(0, 1))[0] / len(keys)
    assert np.abs(shares - 0.1).max() < 0.005
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.01


def test_a_seed_is_the_same_on_every_machine() -> None:
    assert seed_of("dropout", 0, 1) == seed_of("dropout", 0, 1) != seed_of("dropout", 0, 2)
    assert seed_of("a", "b") != seed_of("ab")
