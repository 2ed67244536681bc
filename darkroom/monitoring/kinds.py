"""Which kind of shift it is: pictures of another quality, another mix of classes, or things that the reference does not
have."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from darkroom.monitoring.scores import BRIGHTNESS, CONTRAST, DETAIL, SHARPNESS
from darkroom.runtime.arrays import Float64s

KindName = Literal["quality", "class mix", "unknown things"]
# A picture's quality shifts for nearly all images: live ones lie above reference ones in so many pairs more, or fewer,
# than half.
BULK = 0.22
# Standard errors of that fraction of pairs.
DEVIATIONS = 3.0
SIZE, ASPECT, FILE = 2, 3, 4
# Part of the level that comes from the predicted class in another mix: classes that are harder lower confidence, too. On
# Fashion-MNIST it was 0.19 to 1 in all but one of 32 such shifts, and at most 0.02 in 64 of other kinds.
CLASSES = 0.1


@dataclass(frozen=True)
class Kind:
    """What shifted.

    Attributes:
        name: of the kind.
        words: what is seen of it, for a sentence: `darker`, `blurred`.
    """

    name: KindName
    words: str


def find_kind(reference: Float64s, live: Float64s, by_score: Float64s) -> Kind:
    """The kind of a shift.

    Quality is looked at for each predicted class, so that another mix of classes does not count as darker pictures; a
    new class or a subpopulation is a part of the images and does not shift the bulk of them.

    Args:
        reference: scores float64 [N, S].
        live: scores since the shift, float64 [M, S].
        by_score: the part of each score in the level, and last that of the predicted class, float64 [S + 1].
    """
    above = {score: fraction_above(reference[:, score], live[:, score]) for score in range(reference.shape[1])}
    reach = {score: abs(above[score] - 0.5) for score in above}
    least = max(BULK, DEVIATIONS * np.sqrt((1 / len(live) + 1 / len(reference)) / 12))
    if max(reach[score] for score in (BRIGHTNESS, CONTRAST, SHARPNESS, DETAIL)) >= least:
        # Light moves contrast and leaves detail at equal contrast alone; blur and noise do the opposite.
        if reach[DETAIL] >= reach[CONTRAST]:
            return Kind("quality", "blurred" if above[DETAIL] < 0.5 else "noisy or sharper")
        if reach[BRIGHTNESS] >= BULK / 2:
            return Kind("quality", "darker" if above[BRIGHTNESS] < 0.5 else "brighter")
        return Kind("quality", "of less contrast" if above[CONTRAST] < 0.5 else "of more contrast")
    if max(reach[SIZE], reach[ASPECT], reach[FILE]) >= 2 * BULK:
        return Kind("quality", "of another size or format")
    if by_score[-1] >= CLASSES * by_score.sum():
        return Kind("class mix", "in another mix of the classes")
    return Kind("unknown things", "unlike the reference")


def fraction_above(reference: Float64s, live: Float64s) -> float:
    """In how many pairs the live value is above the reference's; ties count half, and 0.5 is no shift.

    Args:
        reference, live: float64 [N] and [M]; values that are NaN are left out, and 0.5 comes of none.
    """
    known, new = np.sort(reference[~np.isnan(reference)]), live[~np.isnan(live)]
    if not len(known) or not len(new):
        return 0.5
    below = np.searchsorted(known, new, "left") + np.searchsorted(known, new, "right")
    return float(below.mean() / 2 / len(known))
