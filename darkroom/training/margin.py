"""The loss of capsule networks."""

from torch import Tensor
from torch.nn import functional

from darkroom.network.capsule_net import LOGIT_SCALE

PRESENT, ABSENT = 0.9, 0.1
ABSENT_WEIGHT = 0.5


def margin_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The margin loss of Sabour, Frosst, Hinton 2017 (https://arxiv.org/abs/1710.09829), equation 4, of each image.

    Nothing is asked of a capsule of the label's class that is longer than 0.9, nor of one of another class that is shorter
    than 0.1; beyond, the squared distance counts, half for the other classes.

    Args:
        logits: what `CapsuleNet` gives, [N, K]: lengths times `LOGIT_SCALE`.
        labels: int64 [N].

    Returns:
        float32 [N].
    """
    lengths = logits.float() / LOGIT_SCALE
    here = functional.one_hot(labels, logits.shape[1]).float()
    missing = functional.relu(PRESENT - lengths).square()
    surplus = functional.relu(lengths - ABSENT).square()
    return (here * missing + ABSENT_WEIGHT * (1 - here) * surplus).sum(1)
