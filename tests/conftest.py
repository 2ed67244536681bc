"""The fixtures of all tests: small real data, the line's folders made from it, repositories, a browser, a Prefect server."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from sklearn.datasets import load_digits

from darkroom.images.manifest import read_manifest
from darkroom.settings.preprocess import Preprocess
from darkroom.sources.source import Location
from darkroom.splits.rule import SplitConfig
from stages import ingest, preprocess, split, survey
from tests.support import clones
from tests.support.repository import Repository, make_repository, start_prefect

ROOT = Path(__file__).parent.parent
# What an archive may unfold to, in bytes.
ROOM = 1 << 30

# Nothing here is about time: a busy machine must not fail a property that holds. New examples are looked for by people, and
# CI repeats the same ones, so that a change is judged by what it changed.
settings.register_profile("untimed", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def digit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders zero, one and two with 40 PNG files each, of 8 x 8 grey pixels; tests must not write to it."""
    digits = load_digits()
    root = tmp_path_factory.mktemp("digits") / "images"
    for label, name in enumerate(("zero", "one", "two")):
        folder = root / name
        folder.mkdir(parents=True)
        for index, picture in enumerate(digits.images[digits.target == label][:40]):
            pixels = np.round(picture * (255 / 16)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{index:02}.png")
    return root


def ingest_source(
    source: str,
    path: Path,
    root: Path,
    rejects: float = 0.0,
    decoder: str = "turbo",
    fixes: Path | None = None,
    depth: str = "auto",
) -> Path:
    """Survey and ingest a source into the root of a line; return the folder of ingest."""
    survey_source(source, path, root)
    ingest_surveyed(source, path, root, rejects, decoder, fixes, depth)
    return root / "data/ingest"


def survey_source(source: str, path: Path, root: Path) -> None:
    survey.run(
        source=source, location=Location(path, None, ROOM), cache=root / ".darkroom/cache", out=root / "data/survey"
    )


def ingest_surveyed(
    source: str,
    path: Path,
    root: Path,
    rejects: float = 0.0,
    decoder: str = "turbo",
    fixes: Path | None = None,
    depth: str = "auto",
) -> None:
    ingest.run(
        source=source,
        location=Location(path, None, ROOM),
        decoder=decoder,
        depth=depth,
        max_reject_fraction=rejects,
        survey=root / "data/survey",
        cache=root / ".darkroom/cache",
        out=root / "data/ingest",
        fixes=fixes,
    )


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, digit_folder: Path) -> Path:
    """A root with data/ as the line leaves it before training: 120 images of three classes; tests must not write to it."""
    root = tmp_path_factory.mktemp("prepared")
    ingest_source("folder", digit_folder, root)
    (root / "data/validate").mkdir()
    manifest = read_manifest(root / "data/ingest")
    pq.write_table(pa.table({"id": manifest["id"], "group": manifest["sha256"]}), root / "data/validate/groups.parquet")
    split.run(
        ingest=root / "data/ingest",
        groups=root / "data/validate/groups.parquet",
        config=SplitConfig(0.2, 0.2, 0),
        fold=0,
        previous=None,
        out=root / "data/split",
    )
    splits, out = root / "data/split/splits.parquet", root / "data/preprocess"
    preprocess.run(
        ingest=root / "data/ingest",
        splits=splits,
        settings=Preprocess(),
        decoder="turbo",
        cache=root / ".darkroom/cache",
        out=out,
    )
    return root


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; tests that look at pages are skipped where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the whole line of 120 small colour pictures, up to the bundle; tests must not write to it."""
    # Imported here: it needs torch, and most tests do not.
    from tests.support.line import make_line

    return make_line(tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """A root with data/, models/ and reports/ up to evaluate, see `tests.support.scored`; tests must not write to it."""
    from tests.support.scored import make_scored_line

    root = tmp_path_factory.mktemp("scored")
    make_scored_line(root, prepared)
    return root


@pytest.fixture(scope="session")
def make_clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes a clone of this repository, see `tests.support.clones`."""

    def clone() -> Path:
        folder = tmp_path_factory.mktemp("clone") / "darkroom"
        clones.clone_repository(folder)
        return folder

    return clone


@pytest.fixture(scope="session")
def user_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return clones.user_environment(tmp_path_factory.mktemp("home"))


@pytest.fixture
def repository(tmp_path: Path, digit_folder: Path) -> Iterator[Repository]:
    """A git and DVC repository with a short line, committed, never run."""
    found = make_repository(tmp_path, digit_folder)
    yield found
    found.close()


@pytest.fixture(scope="session")
def repository_after_a_run(tmp_path_factory: pytest.TempPathFactory, digit_folder: Path) -> Repository:
    """One in which `make run` was typed once; tests must not write to it."""
    found = make_repository(tmp_path_factory.mktemp("ran"), digit_folder)
    status, found.printed = found.run("-m", "flows.run")
    assert status == 0, found.printed
    return found


@pytest.fixture
def ran(repository_after_a_run: Repository, tmp_path: Path) -> Iterator[Repository]:
    """A copy of a repository in which `make run` was typed once."""
    found = repository_after_a_run.copy(tmp_path)
    yield found
    found.close()


@pytest.fixture
def here(ran: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The same as the current folder, with its environment."""
    monkeypatch.chdir(ran.root)
    for name in set(os.environ) - set(ran.environment):
        monkeypatch.delenv(name)
    for name, value in ran.environment.items():
        monkeypatch.setenv(name, value)
    return ran


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server with schedules."""
    server, address = start_prefect(tmp_path_factory.mktemp("prefect"))
    yield address
    server.terminate()
    server.communicate()
