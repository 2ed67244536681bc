"""Which image goes to which split: a rule for each group alone, so that growth moves nothing."""

import numpy as np
import numpy.typing as npt

from darkroom.seeding import uniform_per_image

SPLITS = ("train", "validation", "test")


def keys_of(groups: list[str]) -> npt.NDArray[np.uint64]:
    """The first 64 bits of each group's SHA-256 name, uint64 [N]."""
    return np.array([int(group[:16], 16) for group in groups], dtype=np.uint64)


def assign_splits(
    groups: list[str], source_splits: list[str | None], validation: float, test: float, seed: int
) -> list[str]:
    """Place every image; all images of a group go to the same split.

    A group of which the source put any image into its test split goes to test, and likewise for validation, test first: a
    copy of a test image must not be trained on. A group that the source left undivided, or put into training, is placed
    by a number drawn from the group's name and the seed: below `test` it goes to test, below `test + validation` to
    validation. What the source divides itself is not divided again.

    The draw looks at nothing but the group, so images that come later move none that are here. It also makes the shares of
    each class binomial: among n images a share p is met within about 2 * sqrt(p * (1 - p) / n).

    Args:
        groups: for each image the SHA-256, in hex, that names its group.
        source_splits: for each image `train`, `validation`, `test` or None.
        validation: share in (0, 1); of the training part where the source has a test split of its own.
        test: share in (0, 1).
        seed: another seed gives another division.

    Returns:
        `train`, `validation` or `test` for each image.
    """
    has_test = "test" in source_splits
    has_validation = "validation" in source_splits
    draws = uniform_per_image(keys_of(groups), "split", seed)
    test_share = 0.0 if has_test else test
    validation_share = 0.0 if has_validation else validation
    drawn = np.where(draws < test_share, "test", np.where(draws < test_share + validation_share, "validation", "train"))

    claimed: dict[str, str] = {}
    for group, split in zip(groups, source_splits, strict=True):
        if split == "test" or (split == "validation" and claimed.get(group) != "test"):
            claimed[group] = split
    return [claimed.get(group, str(own)) for group, own in zip(groups, drawn, strict=True)]
