"""The service beside the graph that it serves: the same images, in every form, must have the same probabilities."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from starlette.applications import Starlette

from darkroom.bundle.reference_predictions import ReferencePredictions
from darkroom.images.decode import MAX_PIXELS
from darkroom.images.shards import read_shards
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.errors import DarkroomError
from serving import sagemaker, v1, v2, vertex
from serving.asking import FORMS, VERTEX_ROUTE, probabilities
from serving.decoding_memory import JPEG2000, JPEG2000_PIXELS
from serving.limits import Limits
from serving.offline.browser import EvaluatedImages, page_parity, page_sentence
from serving.service import Service

# Of probabilities. Digits in the report: the last bits depend on which images come to be predicted together.
LIMIT = 0.001
DIGITS = 4
# Test images that go through every form, at most, and fewer large ones: as many as make so many pixel values, 32 of 224 pixels
# in colour. Before, the graph has answered for all that parity takes; here the forms are tested: with no difference on 256
# images, less than 1.2% of all differ (95%). `python -m serving.check` takes all, in every form.
SAMPLE, LEAST = 256, 32
VALUES = 1 << 22


@dataclass(frozen=True)
class FormParity:
    """The answers in one form beside those of the graph.

    Attributes:
        images: their number.
        label_agreement: the fraction with the same predicted class.
        largest_difference: of any probability.
    """

    images: int
    label_agreement: float
    largest_difference: float


def compare_answers(expected: Float32s, found: Float32s) -> FormParity:
    """Compare probabilities float32 [N, K] of the same images."""
    agreement = float((expected.argmax(axis=1) == found.argmax(axis=1)).mean())
    return FormParity(len(expected), agreement, float(np.abs(expected.astype(np.float64) - found).max()))


def require_parity(found: dict[str, FormParity], where: str) -> None:
    """Stop when an answer is too far from the graph's.

    Args:
        found: by form.
        where: what was asked, for the message.

    Raises:
        DarkroomError: with every form that is, and by how much.
    """
    # `not <=`, so that a NaN is too far, too.
    wrong = [
        f"  - {form}: a probability differs by {each.largest_difference:.6f}, {LIMIT} allowed; labels agree on "
        f"{each.label_agreement:.2%}"
        for form, each in found.items()
        if not each.largest_difference <= LIMIT
    ]
    if wrong:
        raise DarkroomError(f"parity: {where} does not answer as its graph predicts:\n" + "\n".join(wrong))


def service_parity(
    bundle: Path, reference: ReferencePredictions, expected: Float32s, classes: Sequence[str], shards: Path
) -> dict[str, FormParity]:
    """Ask the service for test images, in process, in every form.

    It is made of the routes alone: keys, logs and the page have no part in an answer.

    Args:
        bundle: its folder.
        reference: the images.
        expected: probabilities float32 [N, K] of the graph that the bundle serves, for the same images.
        classes: in the order of the class list.
        shards: the folder with the original bytes.

    Returns:
        By form.

    Raises:
        DarkroomError: when it refuses an image, or as `require_parity`.
    """
    # No image that ingest took is too large, and no time too long.
    limits = Limits(body=1 << 32, held=1 << 34, seconds=3600.0)
    pixels, memory = JPEG2000_PIXELS * MAX_PIXELS, JPEG2000 * MAX_PIXELS
    service = Service(bundle, batch=16, queue=1 << 20, deadline=3600.0, max_pixels=pixels, decoding_memory=memory)
    routes = [*v1.routes(service, limits), *v2.routes(service, limits, "darkroom"), *sagemaker.routes(service, limits)]
    routes += vertex.routes(service, limits, {vertex.PREDICT: VERTEX_ROUTE})
    transport = httpx.ASGITransport(Starlette(routes=routes))
    most = VALUES // int(np.prod(reference.pixels.shape[1:]))

    async def ask() -> dict[str, FormParity]:
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            found = {}
            for form in FORMS:
                count = min(SAMPLE, max(LEAST, most))
                found[form] = await form_parity(client, form, reference, expected, classes, shards, count)
            return found

    try:
        # In a thread: whoever calls may have an event loop of its own, as notebooks have and Playwright leaves behind.
        with ThreadPoolExecutor(1) as thread:
            found = thread.submit(lambda: asyncio.run(ask())).result()
    finally:
        service.close()
    require_parity(found, "the service")
    return found


async def form_parity(
    client: httpx.AsyncClient,
    form: str,
    reference: ReferencePredictions,
    expected: Float32s,
    classes: Sequence[str],
    shards: Path,
    most: int,
) -> FormParity:
    """Ask for images in one form, and compare.

    Args:
        client: of a service.
        form: one of `serving.asking.FORMS`.
        reference, expected, classes, shards: as in `service_parity`.
        most: images; of more an even sample.

    Raises:
        DarkroomError: as `serving.asking.probabilities` does.
    """
    count = min(most, len(expected))
    rows = np.arange(count) * len(expected) // count
    files = read_shards(shards, [reference.locations[row] for row in rows])
    found = await probabilities(client, form, files, np.asarray(reference.pixels[rows]), classes)
    return compare_answers(expected[rows], found)


def http_report(found: dict[str, FormParity]) -> dict[str, object]:
    """As `parity.json` has it."""
    return {
        "limit": {"probability_difference": LIMIT},
        "forms": {
            form: {
                "images": each.images,
                "label_agreement": round(each.label_agreement, DIGITS),
                "largest_difference": round(each.largest_difference, DIGITS),
            }
            for form, each in found.items()
        },
    }


def http_sentence(found: dict[str, FormParity]) -> str:
    """For the terminal and the model card."""
    images = max(each.images for each in found.values())
    agreement = min(each.label_agreement for each in found.values())
    largest = max(each.largest_difference for each in found.values())
    return (
        f"Asked over HTTP in {len(found)} forms, for up to {images:,} test images, it gives the same classes for "
        f"{agreement:.2%}, and no probability differs by more than {largest:.{DIGITS}f}"
    )


def check_answers(
    bundle: Path,
    reference: ReferencePredictions,
    expected: Float32s,
    classes: Sequence[str],
    tested: EvaluatedImages,
    browser: bool,
) -> tuple[dict[str, object], list[str]]:
    """Ask the service for test images, and the page without a server.

    Args:
        bundle, reference, expected, classes: as in `service_parity`.
        tested: the same images, for the page.
        browser: ask the page, too.

    Returns:
        What `parity.json` has of it, and sentences for the terminal and the model card.

    Raises:
        DarkroomError: as `service_parity` and `page_parity` do.
    """
    http = service_parity(bundle, reference, expected, classes, tested.ingest / "shards")
    content: dict[str, object] = {"http": http_report(http)}
    sentences = [http_sentence(http)]
    if browser:
        page = page_parity(bundle, tested)
        content["browser"] = page
        sentences.append(page_sentence(page))
    return content, sentences
