import numpy as np
import numpy.typing as npt
import pytest

from darkroom.evaluation.robustness import robustness
from darkroom.inference.corruptions import CORRUPTIONS, Corruption

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


def test_the_curves_count_right_answers_from_the_picture_as_it_is() -> None:
    images = pictures(16, 1, 12)
    labels = (images.mean(axis=(1, 2, 3)) > 118).astype(np.int64)
    asked: list[int] = []

    def answer(seen: Pictures) -> npt.NDArray[np.float32]:
        asked.append(len(seen))
        bright = (seen.mean(axis=(1, 2, 3)) > 118).astype(np.float32)
        return np.stack([1 - bright, bright], axis=1)

    curves = robustness(answer, images, labels, [str(k) for k in range(12)], 0.95)
    assert asked == [12] * 21
    assert [curve.name for curve in curves] == ["blur", "noise", "brightness", "JPEG loss"]
    for curve in curves:
        assert curve.severities == (0, 1, 2, 3, 4, 5) and curve.accuracy[0] == 1
        assert len(curve.labels_of_severity) == len(curve.low) == len(curve.high) == 6
        assert all(a <= b <= c for a, b, c in zip(curve.low, curve.accuracy, curve.high, strict=True))
    dark = next(curve for curve in curves if curve.name == "brightness")
    assert dark.accuracy[-1] == pytest.approx((labels == 0).mean()), "in the dark all are named dark"
    assert dark.labels_of_severity[-1] == "20% of the light"
    assert robustness(answer, images, labels, [str(k) for k in range(12)], 0.95) == curves
