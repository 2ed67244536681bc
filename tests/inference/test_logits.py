from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from darkroom.evaluation.test_split import HeldOut
from darkroom.inference.logits import BATCH_IMAGES, logits, softmax, write_predictions
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError

Floats = npt.NDArray[np.float32]

CPU = torch.device("cpu")


class Brightness(torch.nn.Module):
    """Two classes, dark and bright: the logits are minus and plus the mean, in tens."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen += len(images)
        mean = images.float().mean(dim=(1, 2, 3)) / 10 - 12.75
        return torch.stack([-mean, mean], dim=1)


def test_every_image_is_seen_once_and_keeps_its_place() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2 * BATCH_IMAGES + 3, 4, 4, 1), dtype=np.uint8)
    model = Brightness()
    answers = logits(model, images, CPU, None)
    assert model.seen == len(images)
    assert answers.dtype == np.float32 and answers.shape == (len(images), 2)
    mean = images.mean(axis=(1, 2, 3)) / 10 - 12.75
    np.testing.assert_allclose(answers, np.stack([-mean, mean], axis=1), rtol=1e-4, atol=1e-4)


def test_large_images_come_in_small_batches() -> None:
    sizes = []

    class Watching(Brightness):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            sizes.append(len(images))
            return super().forward(images)

    logits(Watching(), np.zeros((5, 1200, 1200, 3), np.uint8), CPU, None)
    assert sizes == [1, 1, 1, 1, 1]


def test_an_answer_that_is_not_a_number_stops() -> None:
    class Diverged(Brightness):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images) * torch.nan

    with pytest.raises(DarkroomError, match="3 of 3 images with NaN"):
        logits(Diverged(), np.zeros((3, 4, 4, 1), np.uint8), CPU, None)


@settings(max_examples=40)
@given(
    hnp.arrays(np.float32, (5, 4), elements=st.floats(-200, 200, width=32)),
    st.floats(0.05, 20),
)
def test_the_softmax_is_a_distribution_and_a_temperature_keeps_its_order(answers: Floats, temperature: float) -> None:
    found = softmax(answers, temperature)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found, torch.from_numpy(answers).double().div(temperature).softmax(dim=1), atol=1e-7)
    rows = np.arange(len(answers))
    assert (found[rows, answers.argmax(axis=1)] == found.max(axis=1)).all()


def test_the_table_has_a_row_for_each_image_in_order(tmp_path: Path) -> None:
    held_out = HeldOut(
        images=np.zeros((2, 4, 4, 1), np.uint8),
        labels=np.array([1, 0]),
        ids=["aa", "bb"],
        paths=["x/1.png", "y/2.png"],
        split_sizes={},
    )
    probabilities = np.array([[0.25, 0.75], [0.125, 0.875]], np.float32)
    write_predictions(tmp_path / "p.parquet", held_out, probabilities, ClassList(("dark", "bright")))
    table = pq.read_table(tmp_path / "p.parquet")
    assert str(table.schema.field("probabilities").type).startswith("fixed_size_list<element: float")
    assert table.to_pylist() == [
        {
            "id": "aa",
            "path": "x/1.png",
            "label": "bright",
            "predicted": "bright",
            "confidence": 0.75,
            "probabilities": [0.25, 0.75],
        },
        {
            "id": "bb",
            "path": "y/2.png",
            "label": "dark",
            "predicted": "bright",
            "confidence": 0.875,
            "probabilities": [0.125, 0.875],
        },
    ]
