"""The average heat map of each class."""

import numpy as np
import numpy.typing as npt


def mean_maps(maps: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.float32]:
    """The mean of the heat maps of each class, scaled so that its largest value is 1.

    Args:
        maps: float32 [N, S, S] in [0, 1].
        labels: int64 [N], the class whose mean each map counts for.
        classes: K, how many there are.

    Returns:
        float32 [K, S, S]; zeros for a class without an image, or without heat.
    """
    means = np.zeros((classes, *maps.shape[1:]), np.float32)
    for label in np.unique(labels):
        mean = maps[labels == label].mean(axis=0, dtype=np.float64)
        means[label] = mean / max(mean.max(), np.finfo(np.float64).tiny)
    return means
