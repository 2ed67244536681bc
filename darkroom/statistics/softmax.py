"""From logits to probabilities."""

import numpy as np

from darkroom.runtime.arrays import Float32s


def softmax(logits: Float32s, temperature: float = 1.0) -> Float32s:
    """Probabilities: the softmax of logits / temperature, taken in float64.

    Args:
        logits: float32 [N, K].
        temperature: above 0; `darkroom.statistics.calibration.fit_temperature` fits it. 1 leaves the logits as they are.

    Returns:
        float32 [N, K]; each row adds up to 1, and its largest is where the largest logit is.
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Float32s = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities
