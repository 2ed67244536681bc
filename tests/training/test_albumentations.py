"""Albumentations: checked before training starts, seeded by the image, and quiet."""

import os
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from darkroom.runtime.errors import DarkroomError
from darkroom.training.albumentations import Transforms
from darkroom.training.augmentation import Augmentation, ImageRng
from tests.conftest import ROOT

RNG = np.random.default_rng(0)
IMAGES = torch.from_numpy(RNG.integers(0, 255, (60, 16, 16, 3), dtype=np.uint8))
CHANCE = ImageRng(RNG.integers(0, 2**63, 60, dtype=np.uint64), seed=1, epoch=2)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"name": "GausianBlur"}, r"\[0\]: Albumentations 2.0.8 has no .* named 'GausianBlur'; did you mean GaussianBlur"),
        ({"blur_limit": 3}, "no transform named None"),
        ({"name": "GaussianBlur", "blur": 3}, "GaussianBlur has no argument 'blur'; it has .*blur_limit"),
        ({"name": "GaussianBlur", "blur_limit": "much"}, "GaussianBlur refuses its arguments"),
        ({"name": "GaussianBlur", "p": 2}, "GaussianBlur refuses its arguments"),
        ({"name": "RandomCrop", "height": 8, "width": 8}, r"RandomCrop makes uint8 \[8, 8, 3\] of uint8 \[16, 16, 3\]"),
        ({"name": "RandomScale", "p": 0.1}, "training needs transforms that keep size and kind"),
        ({"name": "Normalize"}, "Normalize makes float32"),
        ({"name": "MaskDropout"}, "MaskDropout can't be used .* with nothing beside them: .*mask"),
        ({"name": "BBoxSafeRandomCrop"}, "BBoxSafeRandomCrop can't be used"),
        ({"name": "ImageOnlyTransform"}, "ImageOnlyTransform can't be used"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_refused(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(DarkroomError, match=message):
        Transforms([wanted], 16, 3)


def test_a_transform_for_colour_is_refused_on_grey() -> None:
    with pytest.raises(DarkroomError, match="ISONoise can't be used on images of 16 x 16 pixels, 1 channel"):
        Transforms([{"name": "ISONoise"}], 16, 1)


def test_an_image_is_transformed_alike_in_any_company() -> None:
    made = Transforms([{"name": "ElasticTransform", "p": 0.5}, {"name": "GaussNoise"}], 16, 3)
    whole = made.apply(IMAGES, CHANCE)
    rows = RNG.permutation(60)[:20]
    assert torch.equal(made.apply(IMAGES[torch.from_numpy(rows)], CHANCE.select(rows)), whole[torch.from_numpy(rows)])
    assert not torch.equal(whole, made.apply(IMAGES, ImageRng(CHANCE.keys, 1, 3)))


def test_transforms_apply_each_on_their_own_chance_and_leave_the_images_alone() -> None:
    before = IMAGES.clone()
    inverted = Transforms([{"name": "InvertImg", "p": 0.3}], 16, 3).apply(IMAGES, CHANCE)
    twice = Transforms([{"name": "InvertImg", "p": 0.5}, {"name": "InvertImg", "p": 0.5}], 16, 3).apply(IMAGES, CHANCE)
    share, undone = ((~(found == before).flatten(1).all(1)).float().mean() for found in (inverted, twice))
    assert 0.1 < share < 0.5 and 0.3 < undone < 0.7 and torch.equal(IMAGES, before)


def test_no_network_is_tried() -> None:
    tried = """
import sys
sys.addaudithook(lambda event, _: sys.exit(f"tried {event}") if event in ("socket.connect", "socket.getaddrinfo") else None)
from darkroom.training.albumentations import Transforms
Transforms([{"name": "HorizontalFlip"}], 16, 3)
"""
    # A test before this one may have switched the look off in this process.
    fresh = {name: value for name, value in os.environ.items() if name != "NO_ALBUMENTATIONS_UPDATE"}
    done = subprocess.run([sys.executable, "-c", tried], cwd=ROOT, env=fresh, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_documentation_names_every_setting_and_its_example_works() -> None:
    text = (ROOT / "docs/augmentation.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, flags=re.M)) == set(vars(Augmentation()))
    (example,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.S)
    Transforms(yaml.safe_load(example)["albumentations"], 32, 1)
