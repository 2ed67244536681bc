"""Answers of a model that does not exist: labels and probabilities whose source is known."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """Classes drawn with `shares`; the logits are normal, and `gap` higher for the right class."""

    shares: tuple[float, ...]
    gap: float

    def draw(self, images: int, generator: np.random.Generator) -> tuple[Probabilities, Labels]:
        """Probabilities float32 [N, K], which are calibrated, and labels int64 [N]."""
        labels = generator.choice(len(self.shares), images, p=self.shares)
        logits = generator.standard_normal((images, len(self.shares)))
        logits[np.arange(images), labels] += self.gap
        # Bayes: the log odds of two classes are the gap times the difference of their values, plus those of the shares.
        logits = self.gap * logits + np.log(self.shares)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), labels


@st.composite
def answers(draw: st.DrawFn, ties: bool = True) -> tuple[Probabilities, Labels]:
    """Probabilities [N, K] and labels [N]; with `ties`, many of them are equal, and classes may have no image."""
    classes, images = draw(st.integers(2, 6)), draw(st.integers(2, 40))
    labels = draw(hnp.arrays(np.int64, images, elements=st.integers(0, classes - 1)))
    if ties:
        raw = draw(hnp.arrays(np.float64, (images, classes), elements=st.integers(1, 4)))
    else:
        raw = np.random.default_rng(draw(st.integers(0, 1000))).random((images, classes)) + 0.01
    return (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32), labels
