"""Augmentation: what each setting does to pixels, and that an image comes out alike in any company."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from darkroom.settings.train import Train
from darkroom.training.augmentation import Augmentation, ImageRng, choose_mixing, in_boxes, mix, partners, random_boxes
from darkroom.training.batch_transforms import augment, move

RNG = np.random.default_rng(0)
IMAGES = torch.from_numpy(RNG.integers(0, 255, (200, 12, 12, 3), dtype=np.uint8))
CHANCE = ImageRng(RNG.integers(0, 2**63, 200, dtype=np.uint64), seed=1, epoch=2)
FULL = Augmentation(
    flip=True, shift=0.1, rotate=20, zoom=0.2, crop=0.5, brightness=0.2, contrast=0.3, noise=0.1, cutout=0.3
)


def changed(images: Tensor = IMAGES, **recipe: Any) -> Tensor:
    return augment(images, CHANCE.select(np.arange(len(images))), Augmentation(**recipe))


def test_the_recipe_has_the_settings_and_does_nothing_by_itself() -> None:
    assert set(vars(Augmentation())) <= set(Train.model_fields)
    assert Augmentation().nothing and torch.equal(changed(), IMAGES)


@pytest.mark.parametrize("name", sorted(vars(Augmentation())))
def test_every_setting_alone_does_something(name: str) -> None:
    values: dict[str, Any] = {"flip": True, "crop": 0.5, "rotate": 20, "albumentations": [{"name": "InvertImg"}]}
    value = values.get(name, 0.3)
    assert not Augmentation(**{name: value}).nothing
    if name not in ("mixup", "cutmix", "albumentations"):
        assert not torch.equal(changed(**{name: value}), IMAGES)


@settings(max_examples=25)
@given(st.permutations(range(200)), st.integers(1, 200), st.sampled_from([FULL, Augmentation(flip=True, shift=0.3)]))
def test_an_image_is_augmented_alike_in_any_company(order: list[int], count: int, recipe: Augmentation) -> None:
    chosen = np.array(order[:count])
    part = augment(IMAGES[torch.from_numpy(chosen)], CHANCE.select(chosen), recipe)
    assert torch.equal(part, augment(IMAGES, CHANCE, recipe)[torch.from_numpy(chosen)])


def test_flip_mirrors_half_and_shift_moves_with_the_edge_repeated() -> None:
    mirrored = [torch.equal(one, other.flip(1)) for one, other in zip(changed(flip=True), IMAGES, strict=True)]
    same = [torch.equal(one, other) for one, other in zip(changed(flip=True), IMAGES, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True)) and 70 <= sum(mirrored) <= 130
    ramp = torch.arange(10, dtype=torch.uint8).repeat(200, 10, 1)[..., None]
    expected = [[min(max(column + by, 0), 9) for column in range(10)] for by in range(-2, 3)]
    assert {tuple(row) for row in changed(ramp, shift=0.2)[:, 0, :, 0].tolist()} == {tuple(row) for row in expected}


def test_two_epochs_show_both_sides_of_every_image() -> None:
    first, second, third = (
        augment(IMAGES, ImageRng(CHANCE.keys, CHANCE.seed, epoch), Augmentation(flip=True)) for epoch in (1, 2, 3)
    )
    assert torch.equal(first, second.flip(2)) and torch.equal(first, third)


@pytest.mark.parametrize("images", [IMAGES, IMAGES[:, :11, :11, :1].contiguous()])
def test_resampling_moves_and_mirrors_as_copying_does(images: Tensor) -> None:
    barely_turned = changed(images, flip=True, shift=0.2, rotate=1e-6)
    assert torch.equal(barely_turned, changed(images, flip=True, shift=0.2))


def test_a_quarter_turn_is_numpys() -> None:
    class Quarter(ImageRng):
        def uniform(self, purpose: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
            return np.full(len(self.keys), 0.75)

    turned = move(IMAGES, Quarter(CHANCE.keys, 0, 0), Augmentation(rotate=180))
    assert torch.equal(turned, torch.rot90(IMAGES, 1, (1, 2)))


def test_zoom_enlarges_about_the_middle_and_a_crop_keeps_within_the_image() -> None:
    across = torch.linspace(10, 250, 33).round().to(torch.uint8).repeat(200, 33, 1)[..., None]
    zoomed, cropped = (changed(across, **{name: 0.4})[:, 16, :, 0].double() for name in ("zoom", "crop"))
    assert (zoomed[:, 16] - 130).abs().max() <= 1
    slopes = (zoomed[:, 20] - zoomed[:, 12]) / 8 / 7.5
    assert 1 / 1.4 - 0.03 < slopes.min() < 0.75 and 1.5 < slopes.max() < 1 / 0.6 + 0.03
    spans = (cropped[:, -2] - cropped[:, 1]) / 30 / 7.5
    assert cropped.min() >= 10 and cropped.max() <= 250 and 0.54 < spans.min() < 0.7 and 0.95 < spans.max() < 1.01
    assert cropped[:, 0].std() > 15


def test_brightness_contrast_and_noise_move_values_by_what_was_set() -> None:
    grey = torch.full((200, 12, 12, 3), 100, dtype=torch.uint8)
    moves = (changed(grey, brightness=0.2).double() - 100)[:, 0, 0, 0] / 255
    assert -0.2 <= moves.min() < -0.18 and 0.18 < moves.max() <= 0.202
    assert torch.equal(changed(grey, contrast=0.5), grey)
    halves = grey.clone()
    halves[:, :6] = 140
    distance = changed(halves, contrast=0.5).double()
    distance = (distance[:, 0] - distance[:, -1])[:, 0, 0] / 40
    assert 0.5 <= distance.min() < 0.55 and 1.45 < distance.max() <= 1.5
    noise = changed(grey, noise=0.1).double() - 100
    assert noise.std() == pytest.approx(25.5, rel=0.02) and abs(noise.mean()) < 0.5
    assert noise.flatten(1).mean(1).std() < 3 and len({tuple(each.flatten().tolist()) for each in noise}) == 200


def test_cutout_blanks_a_square_with_the_images_mean() -> None:
    cut = changed(cutout=0.5)
    blanked = (cut != IMAGES).any(-1)
    colours = IMAGES.double().mean((1, 2)).add(0.5).floor()
    for image, where, colour in zip(cut, blanked, colours, strict=True):
        rows, columns = where.any(1).nonzero()[:, 0], where.any(0).nonzero()[:, 0]
        assert len(rows) <= 6 and rows[-1] - rows[0] < 6 and columns[-1] - columns[0] < 6
        assert (image[where] == colour).all()
    assert len({tuple(where.flatten().tolist()) for where in blanked}) > 50


@given(st.integers(2, 200))
def test_every_image_has_one_partner_and_not_itself(count: int) -> None:
    found = partners(CHANCE.select(np.arange(count)))
    assert sorted(found.tolist()) == list(range(count)) and (found != np.arange(count)).all()


def test_mixup_blends_by_its_share() -> None:
    others = IMAGES.flip(0)
    mixed, shares = mix("mixup", IMAGES, others, CHANCE, alpha=1.0)
    wanted = shares[:, None, None, None] * IMAGES + (1 - shares[:, None, None, None]) * others
    assert (mixed - wanted).abs().max() <= 0.51
    # Beta(1, 1) is even; a small alpha mixes little.
    assert np.histogram(shares.numpy(), 4, (0, 1))[0].min() > 30
    _, little = mix("mixup", IMAGES, others, CHANCE, alpha=0.1)
    assert (torch.minimum(little, 1 - little) < 0.1).float().mean() > 0.6


def test_cutmix_fills_a_rectangle_and_counts_its_pixels() -> None:
    black, white = torch.zeros_like(IMAGES), torch.full_like(IMAGES, 255)
    mixed, shares = mix("cutmix", black, white, CHANCE, alpha=1.0)
    assert set(mixed.flatten().tolist()) == {0, 255}
    assert torch.allclose(1 - (mixed > 0).float().mean((1, 2, 3)), shares)
    assert shares.std() > 0.15


def test_boxes_are_cut_off_at_the_edge() -> None:
    places = random_boxes(CHANCE, "test", 12, np.full(200, 5))
    areas = in_boxes(places, IMAGES).sum((1, 2, 3)).numpy()
    assert ((places[1] - places[0]) * (places[3] - places[2]) == areas).all()
    assert places.min() == 0 and places.max() == 12 and areas.max() == 25 and 6 <= areas.min() < 12


def test_with_mixup_and_cutmix_each_batch_draws_one() -> None:
    both = [choose_mixing(Augmentation(mixup=1, cutmix=1), step, 0, 1) for step in range(100)]
    assert 30 < both.count("mixup") < 70
    assert choose_mixing(Augmentation(cutmix=1), 0, 0, 1) == "cutmix"
