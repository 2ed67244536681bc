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


def test_more_than_may_wait_are_refused_with_the_time_to_come_back(folder: Path) -> None:
    service = Service(folder, threads=1, queue=3)

    async def ask() -> list[list[Answer | Refused]]:
        uploads = [Upload(str(n), picture(n)) for n in range(4)]
        return [await service.predict(uploads), await service.predict(uploads[:3])]

    refused, answered = run(ask())
    assert [(each.name, each.status, each.retry_after) for each in refused if isinstance(each, Refused)] == [
        (str(n), 503, 1) for n in range(4)
    ]
    assert all(isinstance(each, Answer) for each in answered)
    assert service.waiting == 0
    service.close()


def test_after_its_deadline_an_image_is_refused(folder: Path) -> None:
    service = Service(folder, threads=1, deadline=1e-9)
    (found,) = run(service.predict([Upload("late", picture(0))]))
    assert isinstance(found, Refused)
    assert (found.name, found.status, found.reason, found.retry_after) == ("late", 504, "no answer within 1e-09 s", 1)
    service.close()


def test_an_image_that_is_too_large_is_refused_by_name(folder: Path) -> None:
    service = Service(folder, threads=1, max_pixels=100)
    (found,) = run(service.predict([Upload("large", picture(0))]))
    assert isinstance(found, Refused)
    assert (found.status, found.reason) == (413, "9 x 12 pixels, more than 100")
    service.close()


def test_a_request_that_is_cancelled_leaves_nothing_behind(service: Service) -> None:
    async def ask() -> None:
        asking = asyncio.ensure_future(service.predict([Upload("", picture(n)) for n in range(20)]))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    run(ask())
    assert service.waiting == 0


def test_an_explanation_is_a_png_of_the_image_and_pixels_are_answered_as_their_file(service: Service) -> None:
    async def ask() -> list[Answer | Refused]:
        (found,) = await service.predict([Upload("", picture(5))], explain=True)
        assert isinstance(found, Answer)
        return [found, *await service.predict_pixels(found.prediction.pixels[None])]

    explained, pixels = run(ask())
    assert isinstance(explained, Answer) and isinstance(pixels, Answer) and explained.heatmap
    assert Image.open(io.BytesIO(explained.heatmap)).format == "PNG"
    assert pixels.prediction.label == explained.prediction.label
    assert pixels.prediction.confidence == pytest.approx(explained.prediction.confidence, abs=1e-6)
