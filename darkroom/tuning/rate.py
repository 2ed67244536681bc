"""Whether the interval of the learning rate can be right for the network and its optimizer."""

from darkroom.settings.train import Train
from darkroom.training.choices import LARGEST_BATCH, choose_optimizer, choose_rate
from darkroom.tuning.space import Range, Space


def usual_rate_outside(space: Space, train: Train) -> str | None:
    """A warning where `learning_rate: auto` would choose a rate that the space leaves out; None otherwise.

    Says nothing where the network or the optimizer is searched too: then no single rate is the usual one.
    """
    interval = space.get("learning_rate")
    if not isinstance(interval, Range) or {"network", "optimizer"} & set(space):
        return None
    pretrained = train.weights != "none"
    optimizer = choose_optimizer(train.optimizer, train.network, pretrained).value
    head_alone = train.freeze == "backbone"
    usual = choose_rate("auto", optimizer, train.network, pretrained, head_alone, LARGEST_BATCH)
    if interval.low <= usual.value <= interval.high:
        return None
    return (
        f"tune.space.learning_rate goes from {interval.low:g} to {interval.high:g}, and the usual rate is {usual.value:g} "
        f"({usual.reason}): choose an interval around it"
    )
