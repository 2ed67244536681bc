"""Batch normalisations put into the convolutions before them: the same function with fewer passes over the maps."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

# Largest difference of what a folded network gives, as a fraction of the largest value: float32 sums in another order.
ROUNDING = 1e-3


@torch.no_grad()
def fold_batch_norms(network: nn.Module, example: Tensor) -> nn.Module:
    """A copy of a network without the batch normalisations that follow a convolution.

    They take as long as the convolutions of EfficientNet-Lite0 in bfloat16 on two cores.

    Args:
        network: in eval mode.
        example: what it takes; run through it to see which normalisation follows which convolution.

    Returns:
        The copy; a network that it would change is copied as it is.
    """
    folded = copy.deepcopy(network).eval()
    before = folded(example)
    for conv, norm in _pairs(folded, example):
        weight, bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
        _replace(folded, norm)
    # A convolution may be followed by more than its normalisation.
    same = (folded(example) - before).abs().max() <= ROUNDING * before.abs().max()
    return folded if same else copy.deepcopy(network).eval()


def _pairs(network: nn.Module, example: Tensor) -> list[tuple[nn.Conv2d, Any]]:
    """Each convolution, and the normalisation that is given just what it gives."""
    made: dict[int, tuple[Tensor, nn.Conv2d]] = {}
    found: list[tuple[nn.Conv2d, Any]] = []

    def watch(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, nn.Conv2d):
            made[id(output)] = output, module
        elif isinstance(module, nn.BatchNorm2d) and id(inputs[0]) in made and module.running_mean is not None:
            found.append((made[id(inputs[0])][1], module))

    handles = [module.register_forward_hook(watch) for module in network.modules()]
    try:
        network(example)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _replace(network: nn.Module, norm: Any) -> None:
    """Leave of a normalisation what timm's kind of it does besides: nothing, or its activation."""
    name = next(name for name, module in network.named_modules() if module is norm)
    rest = nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, rest)
