"""How accuracy falls as pictures get worse."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from darkroom.inference.corruptions import CORRUPTIONS
from darkroom.statistics.intervals import wilson
from darkroom.statistics.metrics import Int64s


@dataclass(frozen=True)
class RobustnessCurve:
    """Accuracy under one kind of damage, from none (severity 0) to the worst.

    Attributes:
        name: `blur`, `noise`, `brightness` or `JPEG loss`.
        severities: 0 to 5.
        labels_of_severity: what each means, in words.
        accuracy: the share named correctly at each, with the ends of its interval (Wilson).
        low, high: the ends.
    """

    name: str
    severities: tuple[int, ...]
    labels_of_severity: tuple[str, ...]
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def robustness(
    answer: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]],
    images: npt.NDArray[np.uint8],
    labels: Int64s,
    keys: Sequence[str],
    confidence: float,
) -> list[RobustnessCurve]:
    """Accuracy on damaged copies of the images: blurred, noisy, dark, JPEG-compressed, each in five steps.

    Args:
        answer: uint8 [N, S, S, C] to float32 [N, K], probabilities or logits; called 21 times.
        images: uint8 [N, S, S, C], as the network sees them.
        labels: int64 [N].
        keys: the images' ids, from which their noise is drawn.
        confidence: of the intervals, 0.95 for 95%.
    """
    side = max(images.shape[1:3])
    with tqdm(total=1 + sum(len(kind.amounts) for kind in CORRUPTIONS), desc="robustness", disable=None) as bar:

        def right(pictures: npt.NDArray[np.uint8]) -> int:
            count = int((answer(pictures).argmax(axis=1) == labels).sum())
            bar.update()
            return count

        clean = right(np.asarray(images))
        curves = []
        for kind in CORRUPTIONS:
            counts = [clean]
            for amount in kind.amounts:
                worse = [kind.apply(image, amount, key) for image, key in zip(images, keys, strict=True)]
                counts.append(right(np.stack(worse)))
            low, high = wilson(counts, len(labels), confidence)
            curves.append(
                RobustnessCurve(
                    name=kind.name,
                    severities=tuple(range(len(counts))),
                    labels_of_severity=("as it is", *(kind.words(amount, side) for amount in kind.amounts)),
                    accuracy=tuple(count / len(labels) for count in counts),
                    low=tuple(low.tolist()),
                    high=tuple(high.tolist()),
                )
            )
    return curves
