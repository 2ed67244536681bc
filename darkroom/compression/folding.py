"""Batch normalisations folded into the convolutions before them."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_norms(model: nn.Module, images: Tensor) -> None:
    """Put each batch normalisation that follows a convolution into its weights, in place; the answers stay the same.

    Exact in eval mode (Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.2), and what ONNX Runtime does with a
    float graph before it is quantized: weights must be rounded as they will be in 8 bits.

    Args:
        model: in eval mode.
        images: what it takes; one is enough, to see what follows what.
    """
    for conv_name, norm_name in _pairs(model, images):
        conv, norm = model.get_submodule(conv_name), model.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        learns = conv.weight.requires_grad
        model.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm).requires_grad_(learns))
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
            # The tensor is kept, so that no other gets its identity.
            made[id(output)] = name, output

        def before_norm(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if id(inputs[0]) in made:
                found.append((made[id(inputs[0])][0], name))

        if isinstance(module, nn.Conv2d):
            return module.register_forward_hook(after_convolution)
        return module.register_forward_pre_hook(before_norm)

    watched = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d)]
    handles = [watch(name, module) for name, module in watched]
    model(images)
    for handle in handles:
        handle.remove()
    return found
