"""Random numbers are a function of seed and image: the same for an image in any batch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.seeding import seed_of, uniform_per_image

KEYS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50)


@given(KEYS, st.integers(0, 100), st.integers(0, 100))
def test_an_image_gets_the_same_number_alone_and_in_a_batch(keys: list[int], seed: int, epoch: int) -> None:
    together = uniform_per_image(np.array(keys, dtype=np.uint64), "flip", seed, epoch)
    alone = [uniform_per_image(np.array([key], dtype=np.uint64), "flip", seed, epoch)[0] for key in keys]
    assert together.tolist() == alone
    assert ((together >= 0) & (together < 1)).all()


def test_numbers_are_uniform_and_those_of_two_purposes_independent() -> None:
    keys = np.arange(100_000, dtype=np.uint64)
    one, other = uniform_per_image(keys, "flip", 0, 1), uniform_per_image(keys, "flip", 0, 2)
    fractions = np.histogram(one, bins=10, range=(0, 1))[0] / len(keys)
    assert np.abs(fractions - 0.1).max() < 0.005
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.01


def test_seeds_and_numbers_are_the_same_on_every_machine_and_in_every_version() -> None:
    assert seed_of("dropout", 0, 1) == 7464271084081345759
    assert seed_of("dropout", 0, 2) == 2222144507644050488
    assert seed_of("a", "b") == 15254180239957406297 and seed_of("ab") == 2611890073580375803
    numbers = uniform_per_image(np.array([1, 2**64 - 1], dtype=np.uint64), "flip", 0, 1)
    assert numbers.tolist() == [0.06263144105944263, 0.8755113573171275]
