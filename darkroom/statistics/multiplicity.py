"""Many tests at once: what is still a finding when a hundred were looked at."""

import numpy as np

from darkroom.statistics.metrics import Float64s


def holm(p: Float64s) -> Float64s:
    """p-values adjusted so that the chance of even one false finding keeps to the level (Holm 1979: "A simple sequentially
    rejective multiple test procedure"); it holds however the tests depend on each other.

    Args:
        p: float64 [M].

    Returns:
        float64 [M], in the same order; a finding is what lies below the level.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty(len(p))
    result[order] = np.minimum(adjusted, 1)
    return result
