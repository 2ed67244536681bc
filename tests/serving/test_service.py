"""The service answers every image as if it were asked alone, and refuses by name what it does not answer."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darkroom.bundle.bundle import load_bundle
from darkroom.predict.answers import predict_pixels
from serving.service import Answer, Refused, Service, Upload
from tests.support.loops import run
from tests.support.tiny_bundle import CLASSES, make_bundle


def picture(seed: int, size: tuple[int, int] = (12, 9), form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("service") / "bundle")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    made = Service(folder, threads=2)
    yield made
    made.close()


def test_200_images_at_once_are_answered_as_alone_and_only_the_damaged_are_refused(
    service: Service, folder: Path
) -> None:
    bundle = load_bundle(folder)
    files = [picture(seed, form="JPEG" if seed % 3 else "PNG") for seed in range(200)]
    damaged = set(range(0, 200, 10))
    uploads = [Upload(str(n), data[:40] if n in damaged else data) for n, data in enumerate(files)]

    async def ask() -> list[Answer | Refused]:
        return [found for (found,) in await asyncio.gather(*(service.predict([upload]) for upload in uploads))]

    for number, found in enumerate(run(ask())):
        if number in damaged:
            assert isinstance(found, Refused)
            assert (found.name, found.status, found.retry_after) == (str(number), 422, None)
            continue
        assert isinstance(found, Answer)
        (alone,) = predict_pixels(bundle, [str(number)], [bundle.pixels(files[number])])
        assert found.prediction.path == str(number)
        assert found.prediction.label == alone.label
        np.testing.assert_allclose(
            list(found.prediction.probabilities.values()), list(alone.probabilities.values()), atol=1e-6
        )
        assert list(found.prediction.probabilities) == list(CLASSES)
