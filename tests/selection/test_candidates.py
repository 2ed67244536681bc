"""What speaks for learning from nothing: small images and many of them, or images too small to be enlarged."""

import numpy as np
import pytest

from darkroom.selection.candidates import learns_from_nothing, shorter_side


@pytest.mark.parametrize(
    ("side", "images", "from_nothing"),
    [
        (28, 54_000, True),
        (32, 45_000, True),
        (8, 1_437, True),
        (32, 240, False),
        (28, 1_600, False),
        (64, 5_000, True),
        (65, 90_000, False),
    ],
)
def test_which_images_a_network_learns_from_nothing(side: int, images: int, from_nothing: bool) -> None:
    assert learns_from_nothing(side, images) is from_nothing


def test_the_side_is_the_median_of_the_shorter_ones_or_the_size_that_is_set_if_that_is_less() -> None:
    sides = np.array([90, 200, 50], np.int32)
    assert (shorter_side(sides, "auto"), shorter_side(sides, 48), shorter_side(sides, 224)) == (90, 48, 90)
