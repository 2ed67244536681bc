"""The engine takes what waits, for one model at a time; who no longer waits is skipped; one bad image fails alone."""

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkroom.bundle.bundle import Bundle
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.errors import DarkroomError
from serving.engine import Engine, Job, Ran
from serving.metrics import Metrics
from serving.model import LoadedModel, open_model
from tests.support.loops import run
from tests.support.tiny_bundle import make_bundle


class Watched(Bundle):
    """A bundle that notes its batches, waits for a signal before the first, and fails over images that begin with 13."""

    batches: list[int]
    go: threading.Event

    def predict(self, images: UInt8s) -> Float32s:
        self.go.wait()
        if (images[:, 0, 0, 0] == 13).any():
            raise DarkroomError("13")
        self.batches.append(len(images))
        return super().predict(images)


def watched(folder: Path, batch: int) -> tuple[LoadedModel, Watched]:
    model = open_model(folder, batch)
    bundle = Watched(**vars(model.bundle))
    object.__setattr__(bundle, "batches", [])
    object.__setattr__(bundle, "go", threading.Event())
    return replace(model, bundle=bundle), bundle


@pytest.fixture
def model(tmp_path: Path) -> tuple[LoadedModel, Watched]:
    return watched(make_bundle(tmp_path / "bundle"), batch=4)


def image(first: int = 0) -> UInt8s:
    return np.full((8, 8, 1), first, np.uint8)


async def put(engine: Engine, model: LoadedModel, pixels: UInt8s, seconds: float = 60) -> "asyncio.Future[Ran]":
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Ran] = loop.create_future()
    engine.put(Job("", pixels, model, time.monotonic() + seconds, loop, done))
    return done


async def taken(engine: Engine) -> None:
    """Until the engine has taken all that waits."""
    while engine.waiting:
        await asyncio.sleep(0)


def test_it_takes_what_waits_up_to_a_batch(model: tuple[LoadedModel, Watched]) -> None:
    loaded, bundle = model
    engine = Engine(1, Metrics())

    async def ask() -> list[Ran]:
        jobs = [await put(engine, loaded, image())]
        await taken(engine)
        jobs += [await put(engine, loaded, image(n)) for n in range(6)]
        bundle.go.set()
        return await asyncio.gather(*jobs)

    found = run(ask())
    engine.close()
    assert bundle.batches == [1, 4, 2]
    assert [ran.batch for ran in found] == [1, 4, 4, 4, 4, 2, 2]
    assert found[0].prediction.probabilities == pytest.approx(found[1].prediction.probabilities, abs=1e-6)


def test_cancelled_and_late_images_are_skipped(model: tuple[LoadedModel, Watched]) -> None:
    loaded, bundle = model
    engine = Engine(1, Metrics())

    async def ask() -> tuple[Any, ...]:
        first = await put(engine, loaded, image())
        await taken(engine)
        gone, late = await put(engine, loaded, image(1)), await put(engine, loaded, image(2), seconds=-1)
        last = await put(engine, loaded, image(3))
        gone.cancel()
        bundle.go.set()
        await asyncio.gather(first, last)
        return gone.cancelled(), late.done()

    assert run(ask()) == (True, False)
    engine.close()
    assert bundle.batches == [1, 1]


def test_images_for_two_models_are_never_in_one_batch(model: tuple[LoadedModel, Watched], tmp_path: Path) -> None:
    loaded, bundle = model
    other, other_bundle = watched(make_bundle(tmp_path / "other", ("x", "y"), seed=1), batch=4)
    engine = Engine(1, Metrics())

    async def ask() -> list[Ran]:
        jobs = [await put(engine, loaded, image())]
        await taken(engine)
        jobs += [await put(engine, each, image(5)) for each in (loaded, loaded, other, other, loaded)]
        bundle.go.set()
        other_bundle.go.set()
        return await asyncio.gather(*jobs)

    found = run(ask())
    engine.close()
    assert (bundle.batches, other_bundle.batches) == ([1, 2, 1], [2])
    assert [len(ran.prediction.probabilities) for ran in found] == [3, 3, 3, 2, 2, 3]


def test_an_image_over_which_the_graph_fails_spoils_no_other(model: tuple[LoadedModel, Watched]) -> None:
    loaded, bundle = model
    engine = Engine(1, Metrics())

    async def ask() -> list[Ran | BaseException]:
        jobs = [await put(engine, loaded, image())]
        await taken(engine)
        jobs += [await put(engine, loaded, image(n)) for n in (11, 12, 13, 14)]
        bundle.go.set()
        return await asyncio.gather(*jobs, return_exceptions=True)

    found = run(ask())
    engine.close()
    assert [type(each) for each in found] == [Ran, Ran, Ran, DarkroomError, Ran]
    assert bundle.batches == [1, 1, 1, 1]
