"""Areas under ROC and precision-recall curves, and how much each image moves them.

How an area changes with the weight of one image is its influence; the squares of all influences add up to the variance of
the area (the infinitesimal jackknife: Efron 1982, "The jackknife, the bootstrap and other resampling plans", chapter 6;
for the ROC area these are the components of DeLong, DeLong and Clarke-Pearson 1988). Influences of several classes on one
image add up, so that averages over classes have intervals too, and it takes one sort where the bootstrap takes thousands.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from darkroom.runtime.arrays import Bools, Float32s, Float64s, Int64s
from darkroom.statistics.intervals import wilson


@dataclass(frozen=True)
class Ranked:
    """Images from the likeliest to the least likely, those of equal probability in one step.

    Attributes:
        step: int64 [N], the step of each image, in the images' own order.
        positive: bool [N], whether it is of the class.
        true: float64 [S], images of the class in this step and those before.
        false: float64 [S], images of other classes in this step and those before.
    """

    step: Int64s
    positive: Bools
    true: Float64s
    false: Float64s


def rank(scores: Float32s, positive: Bools) -> Ranked:
    """Rank images.

    Args:
        scores: float32 [N].
        positive: bool [N], at least one of each kind.
    """
    step = np.unique(-scores, return_inverse=True)[1]
    images, of_class = np.bincount(step), np.bincount(step, positive)
    return Ranked(step, positive, np.cumsum(of_class), np.cumsum(images - of_class))


def roc_area(ranked: Ranked) -> tuple[float, Float64s]:
    """The area under the ROC curve and each image's influence on it, float64 [N].

    It is the probability that an image of the class is ranked before one that is not, ties counting half.
    """
    true, false = np.diff(ranked.true, prepend=0), np.diff(ranked.false, prepend=0)
    positives, negatives = ranked.true[-1], ranked.false[-1]
    beaten = (negatives - ranked.false + false / 2) / negatives
    beating = (ranked.true - true / 2) / positives
    area = float((true * beaten).sum() / positives)
    each = np.where(
        ranked.positive, (beaten[ranked.step] - area) / positives, (beating[ranked.step] - area) / negatives
    )
    return area, each


def average_precision(ranked: Ranked) -> tuple[float, Float64s]:
    """The average precision and each image's influence on it, float64 [N].

    It is the mean, over the images of the class, of the precision among all that are ranked as high or higher.
    """
    own, positives = np.diff(ranked.true, prepend=0), ranked.true[-1]
    images = ranked.true + ranked.false
    precision = ranked.true / images
    # Divided last, so that a perfect order gives 1 and not a rounding less, which would have an interval of no width.
    area = float((own * precision).sum() / positives)
    # An image of the class raises the precision of its own step and of all that follow; another one lowers it.
    raises, lowers = (
        np.cumsum((own / positives * part / images**2)[::-1])[::-1][ranked.step] for part in (ranked.false, ranked.true)
    )
    gain = (precision[ranked.step] - area) / positives + raises
    return area, np.where(ranked.positive, gain, -lowers)


def area_interval(area: float, influence: Float64s, images: int, confidence: float) -> tuple[float, float]:
    """The interval of an area, symmetric on the scale of the log odds, where it can't pass 0 or 1.

    Near 1 a few images make nearly all of the spread, which is then itself uncertain: so Student's t stands in place of the
    normal distribution, with as many degrees of freedom as the squares of the influences give (Satterthwaite 1946). In
    simulations with areas of 0.36 to 0.9995 and 30 to 2,000 images of a class, 95% intervals held the true area in 93% to
    98%, with the normal distribution in 90% to 97%. Only the average precision of a class with some 20 images is held less
    often, in 91%: that of a sample lies above its source's.

    Args:
        area: the value.
        influence: float64 [N].
        images: of the class; an area of exactly 0 or 1 has no spread, and the interval is then that of as many answers
            that are all wrong or correct (Wilson).
        confidence: 0.95 for a 95% interval.
    """
    squares = influence**2
    variance = squares.sum()
    if variance == 0:
        low, high = wilson(area * images, images, confidence)
        return float(low), float(high)
    freedom = 2 * variance**2 / (squares**2).sum()
    reach = stdtrit(freedom, 0.5 + confidence / 2) * np.sqrt(variance) / (area * (1 - area))
    middle = np.log(area / (1 - area))
    return float(1 / (1 + np.exp(reach - middle))), float(1 / (1 + np.exp(-reach - middle)))
