"""Rounding to 8 bits inside a float network, so that it can learn with it: as `darkroom.compression.int8` will round."""

import torch
from torch import Tensor, fx, nn

from darkroom.compression.int8 import saturates

_ATEN = torch.ops.aten
_PRODUCTS = (_ATEN.conv2d.default, _ATEN.linear.default)

# ONNX Runtime joins these with the product before them, and rounds what comes out of both.
_JOINED = (
    _ATEN.relu.default,
    _ATEN.relu_.default,
    _ATEN.relu6.default,
    _ATEN.relu6_.default,
    _ATEN.hardtanh.default,
    _ATEN.hardtanh_.default,
)

# How much of a range stays when a batch shows another: it forgets within some hundred steps, as the weights change.
STAYS = 0.99


class RoundedValues(nn.Module):
    """Values between layers in uint8 steps of the range in which they were met, zero being one of the steps.

    Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.1: the range is a moving average of the smallest and the
    largest value of each batch; what lies beyond it is cut off, and gradients pass all that was not.
    """

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(float("nan")))
        self.register_buffer("high", torch.tensor(float("nan")))

    def forward(self, values: Tensor) -> Tensor:
        with torch.no_grad():
            low, high = torch.aminmax(values.detach())
            low, high = low.clamp(max=0).float(), high.clamp(min=0).float()
            self.low = torch.where(self.low.isnan(), low, self.low.lerp(low, 1 - STAYS))
            self.high = torch.where(self.high.isnan(), high, self.high.lerp(high, 1 - STAYS))
            scale = ((self.high - self.low) / 255).clamp(min=1e-12)
            zero = (-self.low / scale).round().to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, 255)


class RoundedWeight(nn.Module):
    """A weight in int8 steps, a scale for each output channel, zero in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 63 if saturates() else 127

    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            scale = weight.abs().flatten(1).amax(1).clamp(min=1e-12) / self.largest
            zero = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -self.largest, self.largest)


def round_as_int8(graph: fx.GraphModule) -> None:
    """Round what static INT8 will round, in place: weights, inputs and outputs of all products but the last.

    Products of two activations, in attention, stay as they are.

    Args:
        graph: of aten operations, as `torch.export` makes it.
    """
    products = [node for node in graph.graph.nodes if node.target in _PRODUCTS]
    for product in products[:-1]:
        values, weight = product.args[:2]
        _round_values(graph, values)
        _round_values(graph, _with_activation(product))
        with graph.graph.inserting_before(product):
            product.replace_input_with(weight, _call(graph, RoundedWeight(), weight))
    graph.recompile()


def _with_activation(product: fx.Node) -> fx.Node:
    """The activation that is joined with a product, or the product where there is none."""
    users = list(product.users)
    return users[0] if len(users) == 1 and users[0].target in _JOINED else product


def _round_values(graph: fx.GraphModule, node: fx.Node) -> None:
    """Round a value for all that take it, once."""
    if any(part.meta.get("rounds") for part in (node, *node.users)):
        return
    with graph.graph.inserting_after(node):
        rounded = _call(graph, RoundedValues(), node)
    rounded.meta["rounds"] = True
    node.replace_all_uses_with(rounded, delete_user_cb=lambda user: user is not rounded)


def _call(graph: fx.GraphModule, module: nn.Module, node: fx.Node) -> fx.Node:
    name = f"rounded_{node.name}"
    graph.add_submodule(name, module)
    return graph.graph.call_module(name, (node,))
