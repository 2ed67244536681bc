"""A network as layer groups from the input to the head: for freezing, layer-wise learning rates and stored features."""

from dataclasses import dataclass

from torch import nn

from darkroom.network.zoo import GreyInput
from darkroom.runtime.errors import DarkroomError

# What a network's builders call the modules that hold its stages; each stage is a group of its own.
_CONTAINERS = ("blocks", "encoder", "features", "layers", "network", "stages", "trunk", "trunk_output")

# A group has at least one layer that multiplies; a normalisation alone belongs to the group before it.
_MULTIPLYING = (nn.Conv2d, nn.Linear, nn.MultiheadAttention)


@dataclass(frozen=True)
class LayerGroup:
    """Layers of a network that are trained or frozen together.

    Attributes:
        name: of its first module.
        parameters: names, as in `network.named_parameters()`.
        modules: names, as in `network.named_modules()`, of those that hold the parameters and of all that lie within.
    """

    name: str
    parameters: list[str]
    modules: list[str]


def head_name(network: nn.Module) -> str:
    """The name, as in `network.named_modules()`, of what `head` returns."""
    if isinstance(network, GreyInput):
        return f"network.{head_name(network.network)}"
    by_name: dict[str, nn.Module] = dict(network.named_modules())
    if callable(get := getattr(network, "get_classifier", None)):  # timm
        found = [name for name, module in by_name.items() if module is get()]
    else:
        found = [name for name, module in by_name.items() if _parameters(module)][-1:]
    if not found or not _parameters(by_name[found[0]]):
        raise DarkroomError(
            f"{type(network).__name__} has no single last layer: train.freeze must be none, train.layer_decay 1"
        )
    parent = found[0].rpartition(".")[0]
    above = by_name.get(parent)
    if parent and isinstance(above, nn.Sequential):
        *before, last = above
        if last is by_name[found[0]] and all(isinstance(module, nn.Dropout | nn.Identity) for module in before):
            return parent
    return found[0]


def head(network: nn.Module) -> nn.Module:
    """What makes logits [N, K] out of features [N, F]: a linear layer, a Sequential of dropout and one, or the class capsules.

    It is a module of the network, whose forward is called with the features; SqueezeNet's alone takes maps [N, F, H, W].

    Raises:
        DarkroomError: when there is no such single module.
    """
    return network.get_submodule(head_name(network))


def layer_groups(network: nn.Module) -> list[LayerGroup]:
    """All layer groups of a network, from the input to the head, each parameter in exactly one; the last is the head.

    Parameters of the network's own (class token, positions) belong to the first group.
    """
    last = head_name(network)
    groups = _groups(network, "", last)
    own = [name for name, _ in network.named_parameters() if not any(_within(name, group) for group in [*groups, last])]
    merged: list[list[str]] = []
    for group in groups:
        multiplies = any(isinstance(module, _MULTIPLYING) for module in network.get_submodule(group).modules())
        if multiplies or not merged:
            merged.append([group])
        else:
            merged[-1].append(group)
    found = [_layer_group(network, members, last) for members in merged]
    if own and found:
        found[0].parameters[:0] = own
    return [*(group for group in found if group.parameters), _layer_group(network, [last], "")]


def _groups(module: nn.Module, prefix: str, last: str) -> list[str]:
    """Names of the modules that are groups, or belong to one, in order; the head is left out."""
    names = []
    for own, child in module.named_children():
        name = f"{prefix}{own}"
        if name == last or not _parameters(child):
            continue
        if own in _CONTAINERS or isinstance(child, GreyInput) or last.startswith(f"{name}."):
            names += _groups(child, f"{name}.", last)
        else:
            names.append(name)
    return names


def _layer_group(network: nn.Module, members: list[str], without: str) -> LayerGroup:
    inside = [
        name
        for name, _ in network.named_modules()
        if any(_within(name, member) for member in members) and not (without and _within(name, without))
    ]
    parameters = [name for name, _ in network.named_parameters() if any(_within(name, member) for member in members)]
    return LayerGroup(members[0], parameters, inside)


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None
