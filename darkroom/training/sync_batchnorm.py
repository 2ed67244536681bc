"""Batch normalisation over the images of all training processes: `train.sync_batchnorm`."""

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import batch_norm
from torch.overrides import TorchFunctionMode


class SyncBatchNorm(nn.Module):
    """A model whose batch normalisations take mean and variance over the batches of all processes.

    torch's own `SyncBatchNorm` is for GPUs alone, and takes the place of layers; here each call of `batch_norm` within the
    model is replaced, of whatever layer, so that weights and their names stay as they are.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        with _Synchronised():
            logits: Tensor = self.model(images)
        return logits


class _Synchronised(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return (_synchronised if func is batch_norm else func)(*args, **(kwargs or {}))


def _synchronised(
    images: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As torch's `batch_norm`, over all processes where it takes the statistics of the batch."""
    if not training:
        return batch_norm(images, running_mean, running_var, weight, bias, training, momentum, eps)
    normalised, mean, var, count = _Normalise.apply(images, eps)  # type: ignore[no-untyped-call]
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * (count / (count - 1)), momentum)
    if weight is not None:
        normalised = normalised * _by_channel(weight, images)
    if bias is not None:
        normalised = normalised + _by_channel(bias, images)
    result: Tensor = normalised.to(images.dtype)
    return result


def _by_channel(values: Tensor, like: Tensor) -> Tensor:
    """Values [C], to be broadcast over [B, C, …]."""
    return values.view(1, -1, *[1] * (like.dim() - 2))


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) in float32, with mean and variance [C] of all processes, and how many values they have.

    Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167; the gradient's two means are over all processes, too.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pixels = images.float()
        dims = [0, *range(2, images.dim())]
        values = torch.full((1,), pixels.numel() / pixels.shape[1], device=pixels.device)
        sums = torch.cat([pixels.sum(dims), values])
        distributed.all_reduce(sums)
        mean, count = sums[:-1] / sums[-1], sums[-1]
        centred = pixels - _by_channel(mean, images)
        squares = centred.square().sum(dims)
        distributed.all_reduce(squares)
        var = squares / count
        scale = torch.rsqrt(var + eps)
        normalised = centred * _by_channel(scale, images)
        ctx.save_for_backward(normalised, scale, count)
        ctx.mark_non_differentiable(mean, var, count)
        ctx.dtype = images.dtype
        return normalised, mean, var, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        normalised, scale, count = ctx.saved_tensors
        dims = [0, *range(2, gradient.dim())]
        sums = torch.stack([gradient.sum(dims), (gradient * normalised).sum(dims)])
        distributed.all_reduce(sums)
        mean, along = (_by_channel(each / count, gradient) for each in sums)
        return ((gradient - mean - normalised * along) * _by_channel(scale, gradient)).to(ctx.dtype), None
