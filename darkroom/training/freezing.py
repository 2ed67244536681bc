"""What of a network learns, and how fast: frozen parts, unfreezing by epoch, rates that fall toward the input."""

from collections.abc import Sequence

from torch import nn

from darkroom.network.layer_groups import Part
from darkroom.runtime.errors import DarkroomError


def trainable(parts: Sequence[Part], freeze: str | int, unfreeze: Sequence[int], epoch: int) -> list[Part]:
    """The parts that learn in an epoch, in the order of the network.

    Args:
        parts: of the network, from the input to the head.
        freeze: `none`, `backbone` (all but the head), or how many parts from the input on.
        unfreeze: epochs, in order; from each on one more part learns, the one nearest to the head first.
        epoch: counted from 1.

    Raises:
        DarkroomError: when nothing would be left to learn, or when there are more epochs than frozen parts.
    """
    frozen = {"none": 0, "backbone": len(parts) - 1}.get(str(freeze))
    if frozen is None:
        frozen = int(freeze)
    if frozen >= len(parts):
        raise DarkroomError(
            f"train.freeze is {frozen}, and this network has {len(parts)} stages with its last layer: set "
            f"{len(parts) - 1} or less"
        )
    if len(unfreeze) > frozen:
        raise DarkroomError(
            f"train.unfreeze names {len(unfreeze)} epochs, and {frozen} stages are frozen (train.freeze={freeze}): name "
            f"{frozen} or fewer"
        )
    return list(parts[frozen - sum(epoch >= start for start in unfreeze) :])


def set_frozen(network: nn.Module, learning: Sequence[Part]) -> None:
    """Let some parts learn and freeze all others, in place; to be called after `network.train()`, which undoes it.

    Frozen modules are in eval mode: their batch normalisation keeps its running statistics, which the frozen weights were
    made with, and nothing is dropped in them.
    """
    parameters = {name for part in learning for name in part.parameters}
    modules = {name for part in learning for name in part.modules}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in parameters)
    for name, module in network.named_modules():
        if name and name not in modules and not any(learner.startswith(f"{name}.") for learner in modules):
            module.eval()


def rate_scale(parts: Sequence[Part], layer_decay: float) -> dict[str, float]:
    """Parameter name → what its learning rate is multiplied by: 1 in the head, `layer_decay` times less for each part before.

    Howard and Ruder 2018 (https://arxiv.org/abs/1801.06146, section 3.1): lower layers hold what is general, and change less.
    """
    steps = range(len(parts) - 1, -1, -1)
    return {name: layer_decay**step for step, part in zip(steps, parts, strict=True) for name in part.parameters}
