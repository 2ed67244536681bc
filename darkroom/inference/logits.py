"""A network's logits: of images as they are, and of damaged copies of them."""

from collections.abc import Sequence

import numpy as np
import torch
from tqdm import tqdm

from darkroom.inference.corruptions import CORRUPTIONS
from darkroom.inference.device import choose_precision
from darkroom.inference.predictions import UNDAMAGED, DamagedLogits
from darkroom.runtime.arrays import Float32s, Int64s, UInt8s
from darkroom.runtime.errors import DarkroomError

# A batch holds at most this many images, and fewer large ones: 4 million pixel values keep any network below some 2 GB.
BATCH_IMAGES = 256
BATCH_VALUES = 2**22


def logits(model: torch.nn.Module, images: UInt8s, device: torch.device, progress: str | None) -> Float32s:
    """Logits of every image, each image predicted once.

    Args:
        model: in eval mode, takes uint8 [N, S, S, C] and gives logits float32 [N, K].
        images: uint8 [N, S, S, C], N being at least 1; may be memory-mapped.
        device: where to compute. On a GPU the shortened TF32 products are off: float32 means float32.
        progress: the word before a progress bar; None: no bar.

    Returns:
        float32 [N, K].

    Raises:
        DarkroomError: when an answer is not a number.
    """
    batch = max(1, min(BATCH_IMAGES, BATCH_VALUES // int(np.prod(images.shape[1:]))))
    batches = []
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    model.to(device)
    hidden = True if progress is None else None
    with torch.inference_mode(), exact, tqdm(total=len(images), desc=progress, unit="img", disable=hidden) as bar:
        for start in range(0, len(images), batch):
            pixels = torch.from_numpy(np.array(images[start : start + batch])).to(device)
            batches.append(model(pixels).float().cpu().numpy())
            bar.update(len(pixels))
    answers = np.concatenate(batches)
    broken = int((~np.isfinite(answers)).any(axis=1).sum())
    if broken:
        raise DarkroomError(
            f"the model answers {broken:,} of {len(images):,} images with NaN: its training diverged; lower "
            "train.learning_rate and run `dvc repro`"
        )
    return answers


def damaged_logits(
    model: torch.nn.Module, images: UInt8s, ids: Sequence[str], rows: Int64s, device: torch.device
) -> tuple[list[DamagedLogits], str]:
    """Logits of test images as they are, and of copies blurred, noisy, dark, JPEG-compressed, each in five steps.

    Two to three times as fast as float32 with EfficientNet-Lite0 and with the default network, and 3 of 4,000 answers differ;
    in float32 the 21 passes over photographs would take longer than all else.

    Args:
        model: as for `logits`.
        images: uint8 [N, S, S, C], the test split.
        ids: of these images; the noise is seeded with them.
        rows: int64 [M], which of them to damage.
        device: where to compute, in the processor's short precision where it has one.

    Returns:
        The answers, the undamaged ones first; nothing without rows. And the name of the precision.
    """
    precision, _ = choose_precision("auto", device)
    name = str(precision).removeprefix("torch.")
    if not len(rows):
        return [], name
    chosen, side = np.asarray(images[rows]), max(images.shape[1:3])
    found = []
    with tqdm(total=1 + sum(len(kind.amounts) for kind in CORRUPTIONS), desc="robustness", disable=None) as bar:

        def answer(pictures: UInt8s) -> Float32s:
            with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
                answers = logits(model, pictures, device, None)
            bar.update()
            return answers

        found.append(DamagedLogits(UNDAMAGED, 0, "as it is", rows, answer(chosen)))
        for kind in CORRUPTIONS:
            for severity, amount in enumerate(kind.amounts, start=1):
                worse = [kind.apply(image, amount, ids[row]) for image, row in zip(chosen, rows.tolist(), strict=True)]
                text = kind.text(amount, side)
                found.append(DamagedLogits(kind.name, severity, text, rows, answer(np.stack(worse))))
    return found, name
