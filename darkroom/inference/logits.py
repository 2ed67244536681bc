"""A network's logits: of images as they are, and of damaged copies of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from tqdm import tqdm

from darkroom.inference.corruptions import CORRUPTIONS, Corruption
from darkroom.inference.device import choose_precision, side_by_side
from darkroom.inference.explained import spaced
from darkroom.inference.predictions import UNDAMAGED, DamagedLogits
from darkroom.inference.session import LOGITS, values_of
from darkroom.runtime.arrays import Float32s, Images, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import softmax

# A batch holds at most this many images, and fewer large ones. On a processor maps of more pixels leave its cache: images of
# 224 pixels a second on one core, EfficientNet-Lite0 in bfloat16 and channels_last, 4 at a time: 108, 8: 83, 16: 91, 28: 61.
BATCH_IMAGES = 256
CPU_PIXELS, GPU_PIXELS = 2**18, 2**22

# Images that are damaged where no setting says how many, at most, and their pixels together: 21 passes over them take ten
# seconds of one core with EfficientNet-Lite0.
DAMAGED_IMAGES, DAMAGED_PIXELS = 1_000, 2_520_000

# Images of which the graph and torch are compared, and how far a probability may be off: as export.max_probability_difference.
COMPARED = 8
LARGEST_DIFFERENCE = 1e-3


def float32_logits(
    model: torch.nn.Module, graph: Path, splits: Mapping[str, Images], device: torch.device
) -> dict[str, Float32s]:
    """Logits of whole splits in float32: by ONNX Runtime on a processor, by torch on a GPU.

    On one core with AVX512: EfficientNet-Lite0 at 224 pixels 100 images a second, by torch 47 in channels_last and 30 without;
    the default network at 28 pixels 1,900, by torch 1,500.

    Args:
        model: as for `logits`.
        graph: of the same network, giving logits.
        splits: by split, uint8 [N, S, S, C], N being at least 1.
        device: where to compute.

    Returns:
        By split, float32 [N, K].

    Raises:
        DarkroomError: when an answer is not a number, or the graph does not give what torch gives.
    """
    if device.type != "cpu":
        return {split: logits(model, images, device, split) for split, images in splits.items()}
    found = {split: _finite(values_of(graph, [LOGITS], images, split)[0]) for split, images in splits.items()}
    for split, images in splits.items():
        expected = softmax(logits(model, images[:COMPARED], device, None))
        difference = float(np.abs(expected - softmax(found[split][:COMPARED])).max())
        if difference > LARGEST_DIFFERENCE:
            raise DarkroomError(
                f"the exported graph does not give what the network gives: a probability of a {split} image differs by "
                f"{difference:.6f}, {LARGEST_DIFFERENCE:g} allowed; take another train.network"
            )
    return found


def _finite(answers: Float32s) -> Float32s:
    """The logits float32 [N, K], unless one of them is not a number."""
    broken = int((~np.isfinite(answers)).any(axis=1).sum())
    if broken:
        raise DarkroomError(
            f"the model answers {broken:,} of {len(answers):,} images with NaN: its training diverged; lower "
            "train.learning_rate and run `dvc repro`"
        )
    return answers


def logits(model: torch.nn.Module, images: Images, device: torch.device, progress: str | None) -> Float32s:
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
    pixels = CPU_PIXELS if device.type == "cpu" else GPU_PIXELS
    batch = max(1, min(BATCH_IMAGES, pixels // (images.shape[1] * images.shape[2])))
    batches = []
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    model.to(device)
    hidden = True if progress is None else None
    with torch.inference_mode(), exact, tqdm(total=len(images), desc=progress, unit="img", disable=hidden) as bar:
        for start in range(0, len(images), batch):
            part = torch.from_numpy(np.array(images[start : start + batch])).to(device)
            batches.append(model(part).float().cpu().numpy())
            bar.update(len(part))
    return _finite(np.concatenate(batches))


def damaged_rows(images: Images, requested: int | Literal["auto"]) -> Int64s:
    """Which test images are damaged, evenly over all.

    Args:
        images: uint8 [N, S, S, C], the test split.
        requested: how many, at most; `auto`: 1,000, and fewer of large ones.

    Returns:
        int64 [M], positions among them.
    """
    _, height, width, _ = images.shape
    most = min(DAMAGED_IMAGES, DAMAGED_PIXELS // (height * width)) if requested == "auto" else requested
    return np.array(spaced(np.arange(len(images)), most), np.int64)


def damaged_logits(
    model: torch.nn.Module, images: Images, ids: Sequence[str], rows: Int64s, device: torch.device
) -> tuple[list[DamagedLogits], str]:
    """Logits of test images as they are, and of copies blurred, noisy, dark, JPEG-compressed, each in five steps.

    In bfloat16 and channels_last twice as fast as torch's float32 with EfficientNet-Lite0 and with the default network, and as
    ONNX Runtime's float32 with the latter; 3 of 4,000 answers differ.

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
    damages = [(kind, severity) for kind in CORRUPTIONS for severity in range(1, len(kind.amounts) + 1)]
    found = dict[int, DamagedLogits]()

    def damaged(kind: Corruption, severity: int) -> DamagedLogits:
        amount = kind.amounts[severity - 1]
        worse = [kind.apply(image, amount, ids[row]) for image, row in zip(chosen, rows.tolist(), strict=True)]
        answers = logits(model, np.stack(worse), device, None)
        return DamagedLogits(kind.name, severity, kind.text(amount, side), rows, answers)

    def work(numbers: Sequence[int]) -> None:
        with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
            for number in numbers:
                if number:
                    found[number] = damaged(*damages[number - 1])
                else:
                    found[0] = DamagedLogits(UNDAMAGED, 0, "as it is", rows, logits(model, chosen, device, None))
                bar.update()

    with tqdm(total=1 + len(damages), desc="robustness", disable=None) as bar:
        side_by_side(work, range(1 + len(damages)), device)
    return [found[number] for number in sorted(found)], name
