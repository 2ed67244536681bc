"""Features of a network whose body does not learn: worked out once for each image, in place of once in each epoch."""

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from darkroom.network.layer_groups import head, layer_groups
from darkroom.network.load import Normalized
from darkroom.runtime.arrays import UInt8s

CACHE = Path(".darkroom/features")
# Newest files that stay: those of four trainings.
MOST_CACHED = 8

# Pixels at a time: maps of larger batches leave the cache. EfficientNet-Lite0 on two cores, channels_last, images a second
# with 4, 8, 16, 32 at a time: of 224 pixels in bfloat16 275, 167, 193, 202 and in float32 115, 85, 77, 69; of 128 pixels in
# bfloat16 494, 710, 901, 644. Float32 in ONNX Runtime: 350 of 224 pixels, after 6 s of export, which 3,000 images earn back.
CPU_PIXELS, GPU_PIXELS = 2**19, 2**24


def features(
    model: Normalized, images: UInt8s, precision: torch.dtype = torch.float32, cache: Path | None = CACHE
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
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / f".{path.name}.{os.getpid()}.partial"
    with partial.open("wb") as file:
        np.save(file, rows.numpy())
    partial.rename(path)
    for old in sorted(cache.glob("*.npy"), key=lambda file: file.stat().st_mtime)[:-MOST_CACHED]:
        old.unlink(missing_ok=True)
    return rows


@torch.no_grad()
def _work_out(model: Normalized, images: UInt8s, precision: torch.dtype) -> Tensor:
    device, caught = model.mean.device, list[Tensor]()
    training = model.training
    model.eval()

    def catch(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        caught.append(inputs[0])

    handle = head(model.network).register_forward_pre_hook(catch)
    pixels = GPU_PIXELS if device.type == "cuda" else CPU_PIXELS
    size = max(4, pixels // (images.shape[1] * images.shape[2]))
    rows: Tensor | None = None
    try:
        with tqdm(total=len(images), desc="features", unit="image", disable=None) as bar:
            for start in range(0, len(images), size):
                batch = torch.from_numpy(np.array(images[start : start + size])).to(device)
                with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
                    model(batch)
                found = caught.pop().float().cpu()
                if rows is None:
                    rows = torch.empty((len(images), *found.shape[1:]))
                rows[start : start + size] = found
                bar.update(len(found))
    finally:
        handle.remove()
        model.train(training)
    assert rows is not None
    return rows


def _identity(model: Normalized, images: UInt8s, precision: torch.dtype) -> str:
    """A hash of all that the features depend on: not of the head, which is another after each training."""
    last = set(layer_groups(model.network)[-1].parameters)
    identity = hashlib.sha256(f"{torch.__version__} {precision} {model.mean.device.type} {images.shape}".encode())
    identity.update(str(model).encode())
    for tensor in (model.mean, model.std):
        identity.update(tensor.cpu().numpy().tobytes())
    for name, tensor in sorted(model.network.state_dict().items()):
        if name not in last:
            identity.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    for start in range(0, len(images), 1024):
        identity.update(np.ascontiguousarray(images[start : start + 1024]).tobytes())
    return identity.hexdigest()
