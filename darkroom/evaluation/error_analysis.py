"""What lies behind the scores: weak kinds of images, wrong labels, damage, and where in the images answers come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from darkroom.evaluation.evaluation import Evaluation
from darkroom.evaluation.examples import Choice, choose_images, spaced
from darkroom.evaluation.label_errors import label_suspects
from darkroom.evaluation.robustness import RobustnessCurve, robustness
from darkroom.evaluation.slice_facts import slice_facts
from darkroom.evaluation.slices import Slice, find_slices
from darkroom.evaluation.test_split import HeldOut
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import Packed
from darkroom.inference.device import choose_precision
from darkroom.inference.explain import Explanation, explain
from darkroom.inference.logits import logits, softmax
from darkroom.labels.fixes import settled_images
from darkroom.model.classes import ClassList
from darkroom.network.load import Normalized


@dataclass(frozen=True)
class Insights:
    """What was found beyond the scores.

    Attributes:
        choice: the test images that are explained.
        explanation: of `choice.rows()`, in that order.
        facts: names of the facts that weak slices were looked for in.
        slices: the weak ones; their rows are positions in the test arrays.
        suspects: images whose label is probably wrong, with the columns of `label_errors.SUSPECTS`.
        robustness: a curve for each kind of damage; none where it was not measured.
        damaged_images: how many images these are of.
        damaged_precision: what these were multiplied in, `float32` or shorter.
    """

    choice: Choice
    explanation: Explanation
    facts: Sequence[str]
    slices: Sequence[Slice]
    suspects: pa.Table
    robustness: Sequence[RobustnessCurve]
    damaged_images: int
    damaged_precision: str


def look_behind(
    network: Normalized,
    device: torch.device,
    found: Evaluation,
    held_out: HeldOut,
    packed: Mapping[str, Packed],
    validated: npt.NDArray[np.float32],
    classes: ClassList,
    ingest: Path,
    gallery: int,
    robustness_images: int,
) -> Insights:
    """Look at answers, images and labels.

    Args:
        network: in eval mode.
        device: where to compute.
        found: the scores.
        held_out: the test images.
        packed: the arrays of `train` and `validation`.
        validated: logits of the validation images, float32 [N, K].
        classes: the class list.
        ingest: the folder with manifest and applied label fixes.
        gallery: how many images each gallery shows.
        robustness_images: how many test images are damaged, at most.
    """
    facts, slices = _weak_slices(found, held_out, packed["validation"], validated, classes, ingest)
    paths = dict(zip(*read_manifest(ingest, ["id", "path"]).to_pydict().values(), strict=True))
    sure = softmax(validated, found.calibration.temperature)
    suspects = label_suspects(
        network, packed["train"], packed["validation"], sure, classes, paths, settled_images(ingest)
    )
    precision, _ = choose_precision("auto", device)

    def answer(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        # Two to three times as fast as float32 with EfficientNet-Lite0 and with the default network, and 3 of 4,000 answers
        # differ; in float32 the 21 passes over photographs would take longer than all else.
        with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
            return logits(network, images, device, None)

    damaged = spaced(np.arange(len(held_out.ids)), robustness_images)
    curves = (
        robustness(
            answer,
            held_out.images[damaged],
            held_out.labels[damaged],
            [held_out.ids[row] for row in damaged],
            found.card.confidence,
        )
        if damaged
        else []
    )
    choice = choose_images(found, held_out, gallery)
    rows = choice.rows()
    explanation = explain(network, held_out.images[rows], found.probabilities[rows].argmax(axis=1), device)
    words = str(precision).removeprefix("torch.")
    return Insights(choice, explanation, facts, slices, suspects, curves, len(damaged), words)


def _weak_slices(
    found: Evaluation,
    held_out: HeldOut,
    validation: Packed,
    validated: npt.NDArray[np.float32],
    classes: ClassList,
    ingest: Path,
) -> tuple[list[str], list[Slice]]:
    """The names of the facts, and the slices.

    Validation images only serve to compare with: a class whose test images are all dark has no others to compare them with.
    """
    ids = [*held_out.ids, *(name.decode("ascii") for name in validation.ids.tolist())]
    facts = slice_facts(ingest, ids, classes.names)
    slices = find_slices(
        facts,
        np.concatenate([held_out.labels, validation.labels]),
        np.concatenate([found.right, validated.argmax(axis=1) == validation.labels]),
        classes.names,
        found.card.confidence,
        tested=np.arange(len(ids)) < len(held_out.ids),
    )
    return sorted(facts), slices
