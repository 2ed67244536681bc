"""A sticky split: images keep their assignment, and new ones join their copies.

The draw (`darkroom.splits.rule`) moves nothing as long as groups keep their names. A near-copy that comes later can
rename a group or join two, and no rule that looks at the images alone could then both leave the old ones where they are and
put the new one beside them. So the previous split goes first.
"""

import numpy as np

from darkroom.runtime.arrays import Bools, Int16s, Int32s, Int64s
from darkroom.splits.rule import NO_PARTITION, Assignment, SplitInput


def keep_assignments(previous: Int16s, drawn: Assignment, images: SplitInput) -> tuple[Int16s, Bools]:
    """Keep what was assigned.

    An image of the previous split keeps its partition. A new one goes where its group is; where its whole group is new, the
    draw decides. Where the group's old images are in different partitions, which a new near-copy of both joins, the new one
    goes where the same bytes already are, and is excluded otherwise: in any partition it would resemble an image of another.

    What the source or a date decides goes before the previous split: a test image that the source brings is in test although
    a copy of it was trained on, and the copy is excluded from now on. Nor does an image stay in a split that only the source
    or a date fills.

    Args:
        previous: int16 [N], `NO_PARTITION` for new images.
        drawn: by each group alone.

    Returns:
        The partition of every image, int16 [N]; and whether its whole group is new and drawn, bool [N].
    """
    stays = drawn.sampled & (drawn.probabilities[previous] > 0)
    previous = np.where(stays, previous, np.int16(NO_PARTITION))
    any_old = _any_old(previous, images.group)
    with_group = np.where(any_old, _common(previous, images.group), drawn.partitions)
    new = previous == NO_PARTITION
    partitions = np.where(new, with_group, previous)
    in_split_group = new & (partitions == NO_PARTITION) & drawn.sampled
    if in_split_group.any():
        _, content = np.unique(images.content, return_inverse=True)
        partitions[in_split_group] = _common(previous, content)[in_split_group]
    return partitions, drawn.sampled & ~any_old


def _any_old(previous: Int16s, of: Int32s) -> Bools:
    """Whether any image with the same number in `of` has a partition, bool [N]."""
    found = np.zeros(of.max(initial=-1) + 1, dtype=bool)
    found[of[previous != NO_PARTITION]] = True
    return found[of]


def _common(partitions: Int16s, of: Int32s | Int64s) -> Int16s:
    """The partition that all assigned images with the same number in `of` have in common, int16 [N]; else `NO_PARTITION`."""
    assigned = partitions != NO_PARTITION
    count = of.max(initial=-1) + 1
    low, high = np.full(count, np.iinfo(np.int16).max, dtype=np.int16), np.full(count, NO_PARTITION, dtype=np.int16)
    np.minimum.at(low, of[assigned], partitions[assigned])
    np.maximum.at(high, of[assigned], partitions[assigned])
    return np.where(low == high, high, np.int16(NO_PARTITION))[of]


def apart_from_group(partitions: Int16s, images: SplitInput) -> Bools:
    """Whether an image is in a partition, and another of its group in another one, bool [N]."""
    found: Bools = (partitions != NO_PARTITION) & (_common(partitions, images.group) == NO_PARTITION)
    return found


def in_split_groups(partitions: Int16s, images: SplitInput) -> Bools:
    """Whether the images of an image's group are in several partitions, excluded ones included, bool [N]."""
    count = len(images.keys)
    low, high = np.full(count, np.iinfo(np.int16).max, dtype=np.int16), np.full(count, NO_PARTITION, dtype=np.int16)
    np.minimum.at(low, images.group, partitions)
    np.maximum.at(high, images.group, partitions)
    differing: Bools = low != high
    return differing[images.group]
