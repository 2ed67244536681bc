"""Features of a network whose body does not learn: worked out once for each image, in place of once in each epoch."""

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from darkroom.inference.device import side_by_side
from darkroom.network.folding import fold_batch_norms
from darkroom.network.grid import POOLINGS, grid_features, grid_maps
from darkroom.network.layer_groups import head, head_name
from darkroom.network.load import Normalized
from darkroom.network.zoo import GreyInput
from darkroom.runtime.arrays import Images

CACHE = Path(".darkroom/features")
# Newest files that stay: those of a search over three networks, and of two trainings.
MOST_CACHED = 12

# Pixels at a time: maps of larger batches leave the cache. EfficientNet-Lite0 on one core, folded, channels_last, images of 224
# pixels a second in bfloat16: 105 with 3 to 10 at a time. Float32 in ONNX Runtime: 100.
CPU_PIXELS, GPU_PIXELS = 2**19, 2**24


def features(
    model: Normalized, images: Images, precision: torch.dtype = torch.float32, cache: Path | None = CACHE
) -> Tensor:
    """What the network's head is given for each image; taken from a file where an earlier training worked it out.

    Args:
        model: with the weights that stay; channels_last in memory is fastest.
        images: uint8 [N, S, S, C].
        precision: of the multiplications.
        cache: the folder for files; safe to delete. None: nothing is cached.

    Returns:
        float32 [N, F], on the CPU.
    """
    if cache is None:
        return _work_out(model, images, precision)
    path = cache / f"{_identity(model, images, precision)}.npy"
    if path.exists():
        os.utime(path)
        return torch.from_numpy(np.load(path))
    rows = _work_out(model, images, precision)
    _store(rows, path)
    return rows


def features_of_poolings(
    models: Mapping[str, Normalized], images: Images, precision: torch.dtype, cache: Path | None = CACHE
) -> dict[str, Tensor]:
    """The features of one of timm's networks in each form of pooling, by one pass for all.

    Args:
        models: by `train.pooling`, `mean` among them: the same network with the same weights.
        images: uint8 [N, S, S, C].
        precision: of the multiplications.
        cache: as for `features`, which finds what is stored here.

    Returns:
        By pooling, float32 [N, F], on the CPU.
    """
    if len(models) == 1 or set(models) != set(POOLINGS):
        return {pooling: features(model, images, precision, cache) for pooling, model in models.items()}
    paths = {} if cache is None else {
        pooling: cache / f"{_identity(model, images, precision)}.npy" for pooling, model in models.items()
    }  # fmt: skip
    if paths and all(path.exists() for path in paths.values()):
        return {pooling: features(model, images, precision, cache) for pooling, model in models.items()}
    model = _folded(models["mean"], images)
    network: Any = model.network.network if isinstance(model.network, GreyInput) else model.network
    taken, _ = grid_maps(network)

    def both(batch: Tensor) -> tuple[Tensor, ...]:
        pictures = model.normalised(batch)
        last, maps = network.forward_intermediates(pictures.expand(-1, 3, -1, -1), **taken)
        return network.forward_head(last, pre_logits=True), grid_features(maps)

    found = dict(zip(POOLINGS, _batched(model, both, images, precision), strict=True))
    for pooling, path in paths.items():
        _store(found[pooling], path)
    return found


def _store(rows: Tensor, path: Path) -> None:
    """Write whole or not at all; the oldest files go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.save(file, rows.numpy())
    partial.rename(path)
    for old in sorted(path.parent.glob("*.npy"), key=lambda file: file.stat().st_mtime)[:-MOST_CACHED]:
        old.unlink(missing_ok=True)


def _folded(model: Normalized, images: Images) -> Normalized:
    """A copy in eval mode with its batch normalisations in the convolutions, which is faster by half in bfloat16."""
    training = model.training
    copied = fold_batch_norms(model.eval(), torch.from_numpy(np.array(images[:1])).to(model.mean.device))
    model.train(training)
    assert isinstance(copied, Normalized)
    return copied


def _work_out(model: Normalized, images: Images, precision: torch.dtype) -> Tensor:
    # By thread.
    caught, model = dict[int, Tensor](), _folded(model, images)

    def catch(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        caught[threading.get_ident()] = inputs[0]

    def of_head(batch: Tensor) -> tuple[Tensor, ...]:
        model(batch)
        return (caught.pop(threading.get_ident()),)

    handle = head(model.network).register_forward_pre_hook(catch)
    try:
        return _batched(model, of_head, images, precision)[0]
    finally:
        handle.remove()


def _batched(
    model: Normalized, rows_of: Callable[[Tensor], tuple[Tensor, ...]], images: Images, precision: torch.dtype
) -> list[Tensor]:
    """What a function gives for images uint8 [N, S, S, C] in batches, of a model in eval mode: float32, on the CPU."""
    device = model.mean.device
    pixels = GPU_PIXELS if device.type == "cuda" else CPU_PIXELS
    size = max(4, pixels // (images.shape[1] * images.shape[2]))
    rows: list[Tensor] = []
    written = threading.Lock()

    def work(starts: Sequence[int]) -> None:
        # One autocast for all: it keeps the weights in short precision.
        with torch.no_grad(), torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
            for start in starts:
                batch = torch.from_numpy(np.array(images[start : start + size])).to(device)
                found = [each.float().cpu() for each in rows_of(batch)]
                with written:
                    rows[:] = rows or [torch.empty((len(images), *each.shape[1:])) for each in found]
                    bar.update(len(batch))
                for whole, part in zip(rows, found, strict=True):
                    whole[start : start + size] = part

    with tqdm(total=len(images), desc="features", unit="image", disable=None) as bar:
        side_by_side(work, range(0, len(images), size), device)
    return rows


def _identity(model: Normalized, images: Images, precision: torch.dtype) -> str:
    """A hash of all that the features depend on: not of the head, which is another after each training."""
    last = head_name(model.network)
    identity = hashlib.sha256(
        f"{torch.__version__} folded {precision} {model.mean.device.type} {images.shape}".encode()
    )
    identity.update(str(model).encode())
    for tensor in (model.mean, model.std):
        identity.update(tensor.cpu().numpy().tobytes())
    for name, tensor in sorted(model.network.state_dict().items()):
        if name != last and not name.startswith(f"{last}."):
            identity.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    for start in range(0, len(images), 1024):
        identity.update(np.ascontiguousarray(images[start : start + 1024]).tobytes())
    return identity.hexdigest()
