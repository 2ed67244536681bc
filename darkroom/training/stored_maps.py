"""Maps below the upper blocks of a network, of each image and of changed copies of it, on disk while it is fine-tuned."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from tqdm import tqdm

from darkroom.images.pack import Packed
from darkroom.inference.features import CPU_PIXELS
from darkroom.network.folding import fold_batch_norms
from darkroom.network.load import Normalized
from darkroom.network.upper_blocks import lower_maps
from darkroom.runtime.arrays import Int16s, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file
from darkroom.training.augmentation import Augmentation, ImageRng
from darkroom.training.batch_transforms import augment

# Of the copies; from sign-digits, like the number of forms. No mirror image, which may be of another class.
CHANGES = Augmentation(rotate=10.0, shift=0.06, zoom=0.1, brightness=0.1, contrast=0.2)


def stored_maps(
    model: Normalized, train: Packed, forms: int, *, precision: torch.dtype, seed: int, folder: Path
) -> list[Int16s]:
    """The maps of each form of the training images, the images as they are first; those that are there are taken again.

    Args:
        model: with the weights that stay; in eval mode afterwards.
        train: images, and the ids that the changes depend on, with the form and the seed.
        forms: how many.
        precision: of the multiplications.
        seed: of the changes.
        folder: where they are kept; its name tells of all that they depend on.

    Returns:
        For each form the bits of bfloat16, int16 [N, H, W, C], memory-mapped: read in any order, no more of them is in memory
        than the system has room for.

    Raises:
        DarkroomError: when the disk has no room for them.
    """
    missing = [form for form in range(forms) if not _file(folder, form).exists()]
    if missing:
        image = torch.from_numpy(np.array(train.images[:1])).to(model.mean.device)
        folded = fold_batch_norms(model.eval(), image)
        assert isinstance(folded, Normalized)
        _require_room(lower_maps(folded, image).numel() * 2 * len(train.labels) * len(missing), folder)
        with tqdm(total=len(missing) * len(train.labels), desc="maps", unit="image", disable=None) as bar:
            for form in missing:
                with whole_file(_file(folder, form)) as partial:
                    _write(folded, train, form, precision, seed, partial, bar)
    return [np.load(_file(folder, form), mmap_mode="r") for form in range(forms)]


def gather(maps: Sequence[Int16s], rows: Int64s, forms: Int64s) -> Tensor:
    """The maps [B, C, H, W] in bfloat16, channels_last, of images int64 [B] in forms int64 [B]."""
    bits = np.stack([maps[form][row] for form, row in zip(forms, rows, strict=True)])
    return torch.from_numpy(bits).view(torch.bfloat16).permute(0, 3, 1, 2)


def remove_maps(folder: Path) -> None:
    """Remove them, once the training is at its end."""
    shutil.rmtree(folder, ignore_errors=True)


def _file(folder: Path, form: int) -> Path:
    return folder / f"{form}.npy"


def _require_room(needed: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DarkroomError(
            f"fine-tuning needs {needed / 1e9:.1f} GB in {folder} while it trains, and {free / 1e9:.1f} GB are free: make "
            "room, or set train.budget=2, with which nothing is fine-tuned"
        )


def _write(
    folded: Normalized, train: Packed, form: int, precision: torch.dtype, seed: int, path: Path, bar: "tqdm[object]"
) -> None:
    device, side, keys = folded.mean.device, train.images.shape[1], train.keys()
    size, written = max(4, CPU_PIXELS // side**2), None
    for start in range(0, len(keys), size):
        batch = torch.from_numpy(np.array(train.images[start : start + size])).to(device)
        if form:
            rng = ImageRng(keys[start : start + size], seed, form)
            batch = augment(batch, rng, CHANGES)
        with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
            found = lower_maps(folded, batch)
        bits = found.to(torch.bfloat16).permute(0, 2, 3, 1).contiguous().view(torch.int16).cpu().numpy()
        if written is None:
            written = open_memmap(path, mode="w+", dtype=np.int16, shape=(len(keys), *bits.shape[1:]))
        written[start : start + size] = bits
        bar.update(len(batch))
    assert written is not None
    written.flush()
