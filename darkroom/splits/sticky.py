"""Images stay where they are, and new ones join their copies.

The rule (`darkroom.splits.rule`) moves nothing as long as groups keep their names. A near-copy that comes later can
rename a group or join two, and no rule that looks at the images alone could then both keep the old ones in place and put
the new one beside them. So the placements of the run before go first.
"""

import numpy as np

from darkroom.splits.rule import NOWHERE, Bools, Images, Int64s, Parts


def keep_places(before: Parts, ruled: Parts, images: Images) -> Parts:
    """Where every image goes, int16 [N].

    An image that was placed stays. A new one goes where its group is; where nobody of its group was placed, the rule decides.
    Where the group's old images are in different parts, which a new near-copy of both brings together, the new one goes
    where the same bytes already are, and otherwise `NOWHERE`: in any part it would resemble an image of another.

    Args:
        before: int16 [N], `NOWHERE` for new images.
        ruled: int16 [N], what the rule says.
    """
    with_group = np.where(_found(before, images.group), _common(before, images.group), ruled)
    new = before == NOWHERE
    parts = np.where(new, with_group, before)
    torn = new & (parts == NOWHERE)
    if torn.any():
        parts[torn] = _common(before, images.content)[torn]
    return parts


def _found(before: Parts, of: Int64s) -> Bools:
    """Whether anybody with the same number in `of` was placed, bool [N]."""
    found = np.zeros(of.max(initial=-1) + 1, dtype=bool)
    found[of[before != NOWHERE]] = True
    return found[of]


def _common(before: Parts, of: Int64s) -> Parts:
    """The part of all placed images with the same number in `of`, int16 [N]; `NOWHERE` where they differ or there are none."""
    placed = before != NOWHERE
    count = of.max(initial=-1) + 1
    low, high = np.full(count, np.iinfo(np.int16).max, dtype=np.int16), np.full(count, NOWHERE, dtype=np.int16)
    np.minimum.at(low, of[placed], before[placed])
    np.maximum.at(high, of[placed], before[placed])
    return np.where(low == high, high, np.int16(NOWHERE))[of]


def placed_apart(parts: Parts, images: Images) -> Bools:
    """Whether an image is placed, and another of its group in another part, bool [N]."""
    found: Bools = (parts != NOWHERE) & (_common(parts, images.group) == NOWHERE)
    return found


def torn_groups(parts: Parts, images: Images) -> Bools:
    """Whether an image's group lies in several parts, bool [N]."""
    count = len(images.group_names)
    low, high = np.full(count, np.iinfo(np.int16).max, dtype=np.int16), np.full(count, NOWHERE, dtype=np.int16)
    np.minimum.at(low, images.group, parts)
    np.maximum.at(high, images.group, parts)
    torn: Bools = low != high
    return torn[images.group]
