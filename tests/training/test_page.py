"""The page of a training, in a real browser: whole, legible, offline; and the same bytes from the same training."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from darkroom.training.curves import Epoch
from darkroom.training.page import training_page
from darkroom.training.recipe import FineTuned
from darkroom.training.record import Example, TrainingRecord, UsedSetting, write_record
from tests.evaluation.test_page import LOW_CONTRAST, Scheme, opened

ODD = "<script>alert(1)</script> & an 'endless' name, " * 4
SETTINGS = [
    UsedSetting("train.optimizer", "muon", "learns fastest here"),
    UsedSetting("train.albumentations", f"{{name: {ODD}}}", ""),
    UsedSetting("train.epochs", "12", ""),
]


SET: dict[str, Any] = {"settings": {}, "reason": "train.network is set", "tried": [], "plan": {}}
ROW = {
    "pooling": "grid",
    "images": 128,
    "accuracy": 0.9,
    "low": 0.835,
    "high": 0.941,
    "only_it": 3,
    "only_reference": 2,
}
SEARCHED: dict[str, Any] = {
    "settings": {"network": "timm/tf_efficientnet_lite0", "pooling": "grid"},
    "reason": "90.0% of 128 training images in cross-validation; no slower network is better beyond chance",
    "tried": [
        ROW | {"network": "timm/tf_efficientnet_lite0", "outcome": "chosen"},
        ROW | {"network": "timm/tf_efficientnet_lite1", "outcome": "slower, and not better beyond chance"},
    ],
    "plan": {},
}  # fmt: skip


TUNED = FineTuned(8, 7, [0.02, 0.004], 222, 5, 4, 1, 2, 0.0736, 0.0587, 0.0101, taken=True)


def made(
    epochs: int = 12,
    draws: int = 6,
    size: int = 32,
    channels: int = 3,
    selection: dict[str, Any] = SEARCHED,
    tuned: FineTuned | None = None,
) -> str:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (3, draws + 1, size, size, channels), dtype=np.uint8)
    examples = [
        Example(label, of[0], [(draw, f"62% {label}, 38% cat") for draw in of[1:]])
        for label, of in zip(("cat", "違う🐈", ODD), pictures, strict=True)
    ]
    history = [Epoch(k, 2 / k, 1 - 0.7 / k, 2 / k + 0.04 * k, 1 - 0.6 / k, 0.1 / k) for k in range(1, epochs + 1)]
    best = min(history, key=lambda epoch: epoch.validation_loss)
    with TemporaryDirectory() as folder:
        strengths = [{"strength": 100.0, "accuracy": 0.98, "loss": 0.1}] * epochs if tuned else []
        write_record(Path(folder), TrainingRecord(history, best, SETTINGS, examples, strengths, tuned))
        return training_page(training=Path(folder), selection=selection)


@pytest.mark.parametrize("draws", [0, 6])
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark"), (700, "print")])
def test_the_page_is_whole_and_legible(
    browser: Browser, tmp_path: Path, draws: int, width: int, scheme: Scheme
) -> None:
    page, complaints = opened(browser, made(draws=draws), tmp_path, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.alt && image.complete && image.naturalWidth)")
    assert page.evaluate("document.images.length") == 3 * (draws + 1)
    assert page.evaluate(LOW_CONTRAST) == []
    assert complaints == []
    page.context.close()


def test_the_page_says_what_was_saved_chosen_and_set() -> None:
    page = made()
    assert "After epoch 7 of 12" in page and "<strong>91.4%</strong>" in page
    assert "learns fastest here" in page and "62% cat, 38% cat" in page
    assert "<script" not in page
    assert "the only one" in made(epochs=1) and "no augmentation is set" in made(draws=0)


def test_the_page_says_how_the_network_was_chosen_where_it_was() -> None:
    assert "How the network was chosen" not in made(selection=SET)
    page = made()
    assert "no slower network is better beyond chance" in page
    assert "<td>90.0%</td><td>83.5% to 94.1%</td><td>3</td><td>2</td>" in page
    rule = {"settings": {"network": "small_image_net"}, "reason": "the images are small, 28 pixels"}
    page = made(selection=SET | rule)
    assert "<code>small_image_net</code>, since the images are small, 28 pixels." in page and "95% interval" not in page


def test_the_page_says_what_fine_tuning_came_to_and_why_there_was_none() -> None:
    page = made(draws=0, tuned=TUNED)
    assert "here it is <b>taken</b>" in page and "the figures out of fold are too good" in page
    assert "Fine-tuned, used</th><td>4</td><td>2</td><td>0.0587</td>" in page and "-0.0149 in difference" in page
    page = made(draws=0, tuned=replace(TUNED, taken=False))
    assert "here it is <b>not taken</b>" in page and "the validation images chose nothing" in page
    assert "Head on the frozen network, used</th><td>5</td><td>1</td><td>0.0736</td>" in page
    plan = {"fine_tuning": {"most": 2048, "epochs": 0, "forms": 7}}
    assert "where there are 2,048 training images or fewer" in made(selection=SEARCHED | {"plan": plan})


def test_equal_trainings_give_equal_pages_of_a_fair_size() -> None:
    assert made() == made()
    assert len(made(size=224).encode()) < 2_500_000
