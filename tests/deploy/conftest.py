"""Fixtures of containers: made once in a run of the slow tests, skipped where podman is not installed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.podman import BASES, Podman
from tests.support.tiny_bundle import make_bundle

IMAGE = "darkroom-test"


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    found = Podman(tmp_path_factory.mktemp("podman"))
    found.base()
    return found


@pytest.fixture(scope="session")
def packed_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that is in the image; tests must not write to it."""
    return make_bundle(tmp_path_factory.mktemp("packed") / "export", size=32, channels=3)


def build(podman: Podman, bundle: Path, name: str) -> None:
    """Build an image with a bundle in it, as `python -m deploy.image` does."""
    base, build_base = BASES
    command = [
        sys.executable,
        "-m",
        "deploy.image",
        str(bundle),
        "--name",
        name,
        "--base",
        base,
        "--build-base",
        build_base,
    ]
    found = subprocess.run(command, cwd=ROOT, env=podman.environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.fixture(scope="session")
def image(podman: Podman, packed_bundle: Path) -> Iterator[str]:
    """The image of the service with `packed_bundle`."""
    build(podman, packed_bundle, IMAGE)
    yield IMAGE
    podman("rmi", "--force", IMAGE, check=False)
