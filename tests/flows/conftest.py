"""A repository with a short line, and a Prefect server, both apart from the user's own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.flows.repository import DVC_YAML, TRAIN, Repository


@pytest.fixture
def repository(tmp_path: Path, digit_folder: Path) -> Iterator[Repository]:
    """The short line over 15 images of three classes, committed, never run."""
    root, home = tmp_path / "repository", tmp_path / "home"
    home.mkdir()
    for number, label in enumerate(("zero", "one", "two")):
        (root / "images" / label).mkdir(parents=True)
        for index in range(5):
            shutil.copy(digit_folder / label / f"{5 * number + index:02}.png", root / "images" / label)
    for name, text in (("dvc.yaml", DVC_YAML), ("train.py", TRAIN)):
        (root / name).write_text(text)
    (root / ".dvc").mkdir()
    (root / "data").mkdir()
    for name in ("params.yaml", ".gitignore", ".dvcignore", ".dvc/config", "data/label_fixes.csv"):
        shutil.copy(ROOT / name, root / name)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "GIT_", "DVC_"))}
    silent = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    found = Repository(root, kept | silent | {"HOME": str(home), "PYTHONPATH": str(ROOT)})
    found.set("source", "folder")
    found.git("init", "--quiet", "--initial-branch=main")
    found.git("add", ".")
    found.git("commit", "--quiet", "--message=start")
    yield found
    found.close()


@pytest.fixture
def here(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The repository as the current folder, with its environment."""
    monkeypatch.chdir(repository.root)
    for name in set(os.environ) - set(repository.environment):
        monkeypatch.delenv(name)
    for name, value in repository.environment.items():
        monkeypatch.setenv(name, value)
    return repository


SERVER = """
import time
from flows import processes, server
processes.end_children_on_signals()
port = server.settle()
server.start(port, schedules=True)
print(port, flush=True)
time.sleep(3600)
"""


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server with schedules, in a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    home = tmp_path_factory.mktemp("prefect")
    child = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=ROOT,
        env=kept | {"PREFECT_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    port = child.stdout.readline().strip()
    yield f"http://127.0.0.1:{port}/api"
    child.terminate()
    child.communicate()
