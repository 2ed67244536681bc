"""Quantization-aware fine-tuning: weights that lose less in 8 bits, since they are trained with the rounding in place."""

import copy

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from darkroom.compression.distillation import distill
from darkroom.compression.int8 import saturates
from darkroom.images.pack import Packed

LEARNING_RATE = 1e-4


def quantization_aware(model: nn.Module, train: Packed, epochs: int, seed: int) -> nn.Module:
    """A float network like a trained one, of which static INT8 by smallest and largest value loses less.

    The normalisations are folded into the convolutions, and the network is fine-tuned to predict as before while weights and
    values are rounded as `darkroom.compression.int8.quantize_graph` will round them; gradients pass the rounding unchanged
    (Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3).

    Args:
        model: what `darkroom.network.load.load_model` or `darkroom.compression.pruning.prune` gives; stays as it is.
        train: training images.
        epochs: of fine-tuning.
        seed: of order and augmentation.

    Returns:
        From uint8 [N, S, S, C] to logits float32 [N, K]; float32, without rounding, in eval mode, on the CPU. The same
        arguments give the same weights on the same kind of machine.

    Raises:
        DarkroomError: when the loss is no longer a number.
    """
    folded = copy.deepcopy(model).eval()
    images = torch.from_numpy(np.array(train.images[:2]))
    fold_norms(folded, images[:1])
    # The graph is trained in place of the network: in it, rounding can be inserted between any two operations.
    program = torch.export.export(folded, (images,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    student = program.module(check_guards=False)
    round_as_int8(student)
    distill(student, model, train, epochs, LEARNING_RATE, torch.float32, seed, "fine-tune rounded")
    tuned = student.state_dict()
    folded.load_state_dict({name: tuned[name] for name in folded.state_dict()})
    return folded


def fold_norms(model: nn.Module, images: Tensor) -> None:
    """Put each batch normalisation that follows a convolution into its weights, in place; the outputs stay the same.

    Exact in eval mode (Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.2), and what ONNX Runtime does with a
    float graph before it is quantized: weights must be rounded as they will be in 8 bits.

    Args:
        model: in eval mode.
        images: what it takes; one is enough, to see what follows what.
    """
    for conv_name, norm_name in _pairs(model, images):
        conv, norm = model.get_submodule(conv_name), model.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        trained = conv.weight.requires_grad
        model.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm).requires_grad_(trained))
        # timm's normalisations bring an activation with them.
        activation = getattr(norm, "act", None)
        model.set_submodule(norm_name, activation if isinstance(activation, nn.Module) else nn.Identity())


@torch.no_grad()
def _pairs(model: nn.Module, images: Tensor) -> list[tuple[str, str]]:
    """Names of convolutions and of the normalisations that are given just what they made."""
    made: dict[int, tuple[str, Tensor]] = {}
    found: list[tuple[str, str]] = []

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def after_convolution(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            # A reference to the tensor, so that no other gets its identity.
            made[id(output)] = name, output

        def before_norm(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if id(inputs[0]) in made:
                found.append((made[id(inputs[0])][0], name))

        if isinstance(module, nn.Conv2d):
            return module.register_forward_hook(after_convolution)
        return module.register_forward_pre_hook(before_norm)

    watched = [
        (name, module) for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    handles = [watch(name, module) for name, module in watched]
    model(images)
    for handle in handles:
        handle.remove()
    return found


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

# The fraction of a range that stays when a batch has another: it forgets within some hundred steps, as the weights change.
RANGE_DECAY = 0.99


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
            self.low = torch.where(self.low.isnan(), low, self.low.lerp(low, 1 - RANGE_DECAY))
            self.high = torch.where(self.high.isnan(), high, self.high.lerp(high, 1 - RANGE_DECAY))
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
    if any(each.meta.get("rounds") for each in (node, *node.users)):
        return
    with graph.graph.inserting_after(node):
        rounded = _call(graph, RoundedValues(), node)
    rounded.meta["rounds"] = True
    node.replace_all_uses_with(rounded, delete_user_cb=lambda user: user is not rounded)


def _call(graph: fx.GraphModule, module: nn.Module, node: fx.Node) -> fx.Node:
    name = f"rounded_{node.name}"
    graph.add_submodule(name, module)
    return graph.graph.call_module(name, (node,))
