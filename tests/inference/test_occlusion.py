"""Covering what the answer was made from costs it most."""

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from darkroom.inference.occlusion import occlusion


def spot_reader(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Class 1 where the pixels 20 to 24 down and 4 to 8 across are bright; as confident as can be."""
    spot = images[:, 20:24, 4:8].mean((1, 2, 3)) / 255
    odds = 60 * (spot - 0.5)
    return np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], 1).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_heat_is_where_the_answer_comes_from(channels: int) -> None:
    image = np.zeros((1, 28, 28, channels), np.uint8)
    image[:, 20:24, 4:8] = 255
    assert spot_reader(image)[0, 1] == 1.0  # float32 rounds to certainty; the heat is there all the same
    (heat,) = occlusion(spot_reader, image, np.array([1]))
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert heat.dtype == np.float32 and heat.max() == 1
    assert 18 <= row < 26 and 2 <= column < 10
    assert heat[:12].max() == 0 and heat[:, 18:].max() == 0
    assert not occlusion(spot_reader, image, np.array([0])).any()


def test_an_answer_that_never_changes_has_no_heat() -> None:
    def stubborn(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        # The last digit of a float32 depends on the pixels.
        return np.stack([0.3 + 1e-8 * images.mean((1, 2, 3)), np.full(len(images), 0.7)], 1).astype(np.float32)

    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    assert not occlusion(stubborn, images, np.array([0, 1])).any()


def test_occlusion_and_pictures_of_it_need_no_torch() -> None:
    code = (
        "import sys\nimport darkroom.inference.occlusion, darkroom.drawing.pictures\n"
        "assert not {'torch', 'pandas', 'scipy', 'sklearn', 'pyarrow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
