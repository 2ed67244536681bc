import numpy as np
import numpy.typing as npt
import pytest

from darkroom.inference.corruptions import CORRUPTIONS, Corruption, damaged_copies

Pictures = npt.NDArray[np.uint8]


def pictures(side: int, channels: int, number: int = 8) -> Pictures:
    """Soft blobs with some texture, uint8 [N, S, S, C]."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    waves = np.stack(
        [
            [
                120 + 60 * np.sin(6 * x * (k + 1)) * np.cos(5 * y) + 15 * rng.standard_normal(x.shape)
                for _ in range(channels)
            ]
            for k in range(number)
        ]
    )
    return np.ascontiguousarray(np.clip(waves, 0, 255).transpose(0, 2, 3, 1), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", CORRUPTIONS, ids=lambda kind: kind.name)
def test_a_corruption_is_the_same_every_time_and_grows(kind: Corruption, channels: int) -> None:
    images = pictures(32, channels)
    before = images.copy()
    distances = []
    for amount in kind.amounts:
        worse = [kind.apply(image, amount, str(k)) for k, image in enumerate(images)]
        again = [kind.apply(image, amount, str(k)) for k, image in enumerate(images)]
        assert all(np.array_equal(one, other) for one, other in zip(worse, again, strict=True))
        assert all(each.dtype == np.uint8 and each.shape == images[0].shape for each in worse)
        distances.append(np.abs(np.stack(worse).astype(float) - images).mean())
    assert np.array_equal(images, before)
    assert distances[0] > 0 and (np.diff(distances) > 0).all()


def test_copies_of_one_image_at_every_severity() -> None:
    image = pictures(16, 3)[0]
    copies = damaged_copies(image, "x")
    assert copies.shape == (4, 6, 16, 16, 3) and copies.dtype == np.uint8
    assert all(np.array_equal(of_kind[0], image) for of_kind in copies)
    assert np.array_equal(copies[2, 5], CORRUPTIONS[2].apply(image, 0.2, "x"))


def test_red_stays_red() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[:, :, 0] = 200
    for kind in CORRUPTIONS:
        worse = kind.apply(red, kind.amounts[0], "x").astype(int)
        assert worse[:, :, 0].mean() > 100 > worse[:, :, 2].mean(), kind.name


def test_blur_means_the_same_at_every_size() -> None:
    blur = next(kind for kind in CORRUPTIONS if kind.name == "blur")
    # An edge as wide as a tenth of the picture: how much of it is left in the middle of the bright side.
    left = []
    for side in (40, 160):
        edge = np.zeros((side, side, 1), np.uint8)
        edge[:, side // 2 :] = 200
        worse = blur.apply(edge, 0.03, "x")
        left.append(int(worse[side // 2, side // 2 + side // 20, 0]))
    assert left[0] == pytest.approx(left[1], abs=12)


def test_noise_is_of_the_image_and_not_of_its_place() -> None:
    noise = next(kind for kind in CORRUPTIONS if kind.name == "noise")
    image = pictures(16, 1)[0]
    assert not np.array_equal(noise.apply(image, 0.1, "a"), noise.apply(image, 0.1, "b"))
    drawn = noise.apply(np.full((64, 64, 1), 128, np.uint8), 0.1, "a").astype(float) - 128
    assert drawn.std() == pytest.approx(25.5, rel=0.05)
