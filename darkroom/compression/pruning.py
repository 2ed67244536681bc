"""Structured pruning: whole channels are removed from a convolutional network, which is then fine-tuned."""

import copy
import warnings

import numpy as np
import torch
from torch import nn

from darkroom.compression.distillation import distill
from darkroom.images.pack import Packed
from darkroom.inference.device import choose_device, depthwise_in_float32, resolve_precision
from darkroom.model.spec import ModelSpec
from darkroom.network.capsule_net import CapsuleNet
from darkroom.network.grid import GridPooled
from darkroom.network.layer_groups import head
from darkroom.network.load import Normalized
from darkroom.runtime.errors import DarkroomError
from darkroom.training.choices import is_transformer

LEARNING_RATE = 1e-3

# The channels that a layer keeps are a multiple of this: the processor's 8-bit and float kernels take channels in such blocks.
BLOCK = 8

_LAYERS = (nn.Conv2d, nn.Linear)


def prune(model: nn.Module, spec: ModelSpec, fraction: float, train: Packed, epochs: int, seed: int) -> nn.Module:
    """A smaller network that was made from a trained one.

    In each layer the channels with the smallest weights go, and with them what makes them and what takes them in other
    layers: normalisations, depthwise convolutions, squeezes, all branches of a residual sum (Fang et al. 2023, "DepGraph:
    Towards Any Structural Pruning", https://arxiv.org/abs/2301.12900). Then the network is fine-tuned to predict as before.

    Args:
        model: what `darkroom.network.load.load_model` gives; stays as it is.
        spec: of the model; also true of the smaller network, except for the number of channels.
        fraction: of each layer's channels to remove, in (0, 1); each layer keeps the multiple of 8 that comes nearest, and 8 at
            the least.
        train: training images.
        epochs: of fine-tuning.
        seed: of order, augmentation and dropout.

    Returns:
        From uint8 [N, S, S, C] to logits float32 [N, K]; float32, in eval mode, on the CPU. The same arguments give the same
        weights on the same kind of machine.

    Raises:
        DarkroomError: when the network can't be pruned, when no layer is wide enough for it, or when the loss is no longer
            a number.
    """
    assert isinstance(model, Normalized)
    _require_channels(model.network, spec)
    pruned = copy.deepcopy(model)
    _remove_channels(pruned, spec, fraction, torch.from_numpy(np.array(train.images[:2])))
    # A copy is trained, since training changes it: its depthwise convolutions, and the order of its weights in memory.
    student = copy.deepcopy(pruned)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device = choose_device()
    precision, _ = resolve_precision("auto", device, student, torch.from_numpy(np.array(train.images[:1])))
    if precision == torch.bfloat16 and device.type == "cpu":
        depthwise_in_float32(student)
    distill(student.train(), model, train, epochs, LEARNING_RATE, precision, seed, "fine-tune pruned")
    pruned.load_state_dict(student.state_dict())
    return pruned.eval()


def _require_channels(network: nn.Module, spec: ModelSpec) -> None:
    """Stop for networks whose values between layers are not maps of independent channels."""
    remedy = "set quantize.pruning=0"
    if is_transformer(spec.network):
        raise DarkroomError(f"pruning takes channels out of convolutions, and {spec.network} has few or none: {remedy}")
    if isinstance(network, CapsuleNet):
        raise DarkroomError(f"pruning takes out single channels, and in {spec.network} eight make a capsule: {remedy}")
    if any(isinstance(module, GridPooled) for module in network.modules()):
        raise DarkroomError(f"pruning does not know the head of train.pooling=grid: {remedy}, or train.pooling=mean")


def _remove_channels(model: Normalized, spec: ModelSpec, fraction: float, images: torch.Tensor) -> None:
    """Remove channels from a network, in place; images are uint8 [2, S, S, C]."""
    import torch_pruning  # type: ignore[import-untyped]

    network = model.network.eval()
    before = _size(network)
    # Dependencies are traced along gradients, so that for the moment everything has one.
    frozen = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    network.requires_grad_(True)
    with warnings.catch_warnings():
        # It warns of parameters outside of layers, and handles them correctly.
        warnings.simplefilter("ignore")
        pruner = torch_pruning.pruner.BasePruner(
            network,
            model.normalised(images),
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio_dict={
                layer: _ratio_of(layer, fraction) for layer in network.modules() if isinstance(layer, _LAYERS)
            },
            ignored_layers=[head(network)],
            # Its own default values are shared among all pruners of a process.
            in_channel_groups={},
            out_channel_groups={},
        )
        pruner.step()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name not in frozen)
    if _size(network) == before:
        raise DarkroomError(
            f"quantize.pruning={fraction:g} takes nothing out of {spec.network}: its layers have few channels, and each keeps "
            f"the nearest multiple of {BLOCK}; set a larger fraction, or 0"
        )


def _ratio_of(layer: nn.Conv2d | nn.Linear, fraction: float) -> float:
    """The fraction to remove from a layer so that a multiple of `BLOCK` is left."""
    width = layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features
    left = min(width, max(BLOCK, BLOCK * round(width * (1 - fraction) / BLOCK)))
    # What is left is rounded down to a whole channel.
    return 1 - (left + 0.5) / width


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
