"""Predict once; the table of predictions is what every number is made from."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from darkroom.evaluation.test_split import HeldOut
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError

# A batch holds at most this many images, and fewer large ones: 4 million pixel values keep any network below some 2 GB.
BATCH_IMAGES = 256
BATCH_VALUES = 2**22


def logits(
    model: torch.nn.Module, images: npt.NDArray[np.uint8], device: torch.device, progress: str | None
) -> npt.NDArray[np.float32]:
    """What the model says about every image, each image seen once.

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
    parts = []
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    model.to(device)
    hidden = True if progress is None else None
    with torch.inference_mode(), exact, tqdm(total=len(images), desc=progress, unit="img", disable=hidden) as bar:
        for start in range(0, len(images), batch):
            pixels = torch.from_numpy(np.array(images[start : start + batch])).to(device)
            parts.append(model(pixels).float().cpu().numpy())
            bar.update(len(pixels))
    answers = np.concatenate(parts)
    broken = int((~np.isfinite(answers)).any(axis=1).sum())
    if broken:
        raise DarkroomError(
            f"the model answers {broken:,} of {len(images):,} images with NaN: its training diverged; lower "
            "train.learning_rate and run `dvc repro`"
        )
    return answers


def softmax(logits: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Probabilities: the softmax of logits / temperature, taken in float64.

    Args:
        logits: float32 [N, K].
        temperature: above 0; `darkroom.statistics.calibration` fits it. 1 leaves the logits as they are.

    Returns:
        float32 [N, K]; each row adds up to 1, and its largest is where the largest logit is.
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def write_predictions(
    path: Path, held_out: HeldOut, probabilities: npt.NDArray[np.float32], classes: ClassList
) -> None:
    """Write `predictions.parquet`: one row a test image, in the order of the arrays.

    Columns: id, path, label, predicted (str), confidence (float32, the probability of the class named), probabilities
    (list of K float32, in class-list order).

    Args:
        path: the file.
        held_out: the test images.
        probabilities: float32 [N, K], calibrated.
        classes: the class list.
    """
    names = pa.array(classes.names, pa.string())
    table = pa.table(
        {
            "id": pa.array(held_out.ids, pa.string()),
            "path": pa.array(held_out.paths, pa.string()),
            "label": names.take(pa.array(held_out.labels)),
            "predicted": names.take(pa.array(probabilities.argmax(axis=1))),
            "confidence": pa.array(probabilities.max(axis=1)),
            "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), len(classes)),
        }
    )
    pq.write_table(table, path)
