"""A small part of the long run (`make fuzz`), with the same seeds: nothing is raised, lost or changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.archives import fuzz_archives
from tests.fuzz.bundles import fuzz_bundles
from tests.fuzz.images import fuzz_images
from tests.fuzz.outcome import Outcome, peak_memory
from tests.fuzz.predictions import fuzz_predictions
from tests.fuzz.serving import fuzz_serving
from tests.fuzz.settings import fuzz_settings
from tests.fuzz.tables import fuzz_tables

# `zipfile` and Pillow warn of what is made on purpose here.
pytestmark = pytest.mark.filterwarnings("ignore")

SEED = 0
# MiB that an attempt may add: the images are of 40 pixels, and what a head promises is not made.
ROOM = 1024


@pytest.mark.parametrize(
    ("fuzz", "count"), [(fuzz_images, 60), (fuzz_archives, 16), (fuzz_tables, 24), (fuzz_settings, 32)]
)
def test_every_attempt_is_answered_or_refused_with_a_reason(
    fuzz: Callable[[int, int, Path], Outcome], count: int, tmp_path: Path
) -> None:
    before = peak_memory()
    found = fuzz(count, SEED, tmp_path)
    assert found.faults == []
    assert found.answered and found.refused
    assert peak_memory() - before < ROOM


@pytest.mark.parametrize(("fuzz", "count"), [(fuzz_bundles, 16), (fuzz_predictions, 40), (fuzz_serving, 100)])
def test_bundles_predictions_and_the_service_too(
    fuzz: Callable[[int, int, Path, Path], Outcome], count: int, shipped: Path, tmp_path: Path
) -> None:
    before = peak_memory()
    found = fuzz(count, SEED, tmp_path, shipped / "models/export")
    assert found.faults == []
    assert found.answered and found.refused
    assert peak_memory() - before < ROOM
