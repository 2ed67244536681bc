"""The split of every image: the draw, the previous split before it, and quotas for small classes after it."""

from dataclasses import replace

import numpy as np

from darkroom.runtime.arrays import Int16s
from darkroom.splits.quota import place_by_quota
from darkroom.splits.rule import NO_PARTITION, Assignment, SplitConfig, SplitInput, draw
from darkroom.splits.sticky import keep_assignments


def assign(images: SplitInput, config: SplitConfig, previous: Int16s | None = None) -> Assignment:
    """Assign every image.

    1. What the source or a date puts into a split is there, and others of these groups are in none (`rule`).
    2. What was in a split before stays there, and new images join their groups (`sticky`).
    3. New groups of classes with many groups are drawn: each by itself, so that nothing depends on what came when (`rule`).
    4. New groups of classes with few groups are placed by quota, so that every class is in every split (`quota`).

    Args:
        previous: int16 [N], partitions of the previous run, `NO_PARTITION` for new images; None for a split from nothing.
    """
    drawn = draw(images, config)
    if previous is None:
        previous = np.full(len(images.group), NO_PARTITION, dtype=np.int16)
    partitions, is_new = keep_assignments(previous, drawn, images)
    partitions, by_quota = place_by_quota(partitions, is_new, images, config, drawn.probabilities)
    return replace(drawn, partitions=partitions, by_quota=by_quota)
