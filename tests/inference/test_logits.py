from pathlib import Path

import numpy as np
import pytest
import torch

from darkroom.inference.corruptions import CORRUPTIONS
from darkroom.inference.export import export_network
from darkroom.inference.logits import BATCH_IMAGES, damaged_logits, damaged_rows, float32_logits, logits
from darkroom.runtime.errors import DarkroomError
from tests.inference.test_export import describe, lively, some_images

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


def test_fewer_large_images_are_damaged_unless_a_number_is_set() -> None:
    def shaped(count: int, side: int) -> np.ndarray:
        return np.broadcast_to(np.uint8(0), (count, side, side, 3))

    assert len(damaged_rows(shaped(5_000, 28), "auto")) == 1_000
    assert len(damaged_rows(shaped(5_000, 224), "auto")) == 50
    assert damaged_rows(shaped(9, 224), "auto").tolist() == list(range(9))
    assert damaged_rows(shaped(9, 224), 2).tolist() == [0, 8]
    assert damaged_rows(shaped(9, 28), 0).dtype == np.int64 and not len(damaged_rows(shaped(9, 28), 0))


def test_damaged_copies_of_the_chosen_images_are_answered_in_every_way() -> None:
    """In the dark all are dark; the same images give the same damage."""
    rng = np.random.default_rng(0)
    images = np.where(np.arange(12)[:, None, None, None] % 2, 200, 20).astype(np.uint8)
    images = np.clip(images + rng.integers(0, 20, (12, 8, 8, 1)), 0, 255).astype(np.uint8)
    ids, rows = [f"{k:016x}" for k in range(12)], np.array([1, 2, 7])
    found, precision = damaged_logits(Brightness(), images, ids, rows, CPU)
    assert [(each.kind, each.severity) for each in found] == [
        ("none", 0), *((kind.name, severity) for kind in CORRUPTIONS for severity in range(1, 6)),
    ]  # fmt: skip
    assert all(each.rows.tolist() == [1, 2, 7] and each.logits.shape == (3, 2) for each in found)
    assert found[0].logits.argmax(axis=1).tolist() == [1, 0, 1] and precision in ("float32", "bfloat16")
    darkest = next(each for each in found if (each.kind, each.severity) == ("brightness", 5))
    assert darkest.logits.argmax(axis=1).tolist() == [0, 0, 0] and darkest.text == "20% of the light"
    again, _ = damaged_logits(Brightness(), images, ids, rows, CPU)
    assert all(np.array_equal(one.logits, other.logits) for one, other in zip(found, again, strict=True))
    assert damaged_logits(Brightness(), images, ids, rows[:0], CPU)[0] == []


def test_whole_splits_are_answered_by_the_graph_and_one_of_another_network_is_refused(tmp_path: Path) -> None:
    spec = describe("simple_cnn", 12, 1)
    model, images = lively(spec), some_images(21, 12, 1)
    export_network(model, spec, tmp_path / "network.onnx")
    splits = {"validation": images[:12], "test": images[12:]}
    found = float32_logits(model, tmp_path / "network.onnx", splits, CPU)
    assert list(found) == list(splits)
    np.testing.assert_allclose(np.concatenate(list(found.values())), logits(model, images, CPU, None), atol=1e-5)
    with torch.no_grad():
        next(reversed(list(model.parameters()))).add_(torch.arange(3.0))
    with pytest.raises(
        DarkroomError, match="graph does not give what the network gives: a probability of a validation"
    ):
        float32_logits(model, tmp_path / "network.onnx", splits, CPU)
