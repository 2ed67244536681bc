"""A git and DVC repository with a short line of the same shape as ours, and what tests ask of its processes."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

ROOT = Path(__file__).parents[2]

# Written from last to first, so that only the graph can tell the order. Two stages: each costs a test two starts of DVC.
INGEST = "python ingest.py"
REAL_INGEST = "python -m stages.survey && python -m stages.ingest"
DVC_YAML = f"""\
stages:
  train:
    cmd: python train.py
    deps:
      - data/ingest
      - train.py
    params:
      - train
    outs:
      - models/train
      - reports/evaluate
  ingest:
    cmd: {INGEST}
    deps:
      - ${{ingest.path}}
    params:
      - ingest
    outs:
      - data/ingest
metrics:
  - reports/evaluate/metrics.json
"""

# Lists the images; the real stages take seconds.
INGEST_PROGRAM = """\
from pathlib import Path

from darkroom.runtime.stage import stage
from darkroom.settings.read import read_params

with stage("ingest"):
    names = sorted(path.name for path in Path(read_params().ingest.path).rglob("*.png"))
    Path("data/ingest").mkdir(parents=True)
    Path("data/ingest/names").write_text(str(names))
"""

# Three numbers of epochs stand for a training that fails, one that dies without a word, and one that never ends.
FAILS, DIES, HANGS = 97, 98, 99
TRAIN = f"""\
import json, os, signal, sys, time
from pathlib import Path

from darkroom.settings.read import read_params
from darkroom.runtime.stage import stage

epochs = read_params().train.epochs
print("epoch 1", flush=True)
Path(".darkroom").mkdir(exist_ok=True)
Path(".darkroom/train.pid").write_text(str(os.getpid()))
if epochs == {FAILS}:
    print("error: the loss is not a number:\\n  - in epoch 1\\n  - in epoch 2", file=sys.stderr)
    raise SystemExit(1)
if epochs == {DIES}:
    os.kill(os.getpid(), signal.SIGKILL)
if epochs == {HANGS}:
    time.sleep(600)
with stage("train"):
    Path("models/train").mkdir(parents=True)
    Path("models/train/weights").write_text(str(epochs))
    Path("reports/evaluate").mkdir(parents=True, exist_ok=True)
    test = dict(accuracy=0.9, accuracy_low=0.85, accuracy_high=0.95, images=1234)
    metrics = dict(test=test, provenance=dict(data_version="0123456789ab"))
    Path("reports/evaluate/metrics.json").write_text(json.dumps(metrics))
"""


@dataclass
class Repository:
    """A git and DVC repository, and an environment without any configuration of git, DVC or Prefect.

    Attributes:
        printed: by the run that the repository had when it was given to a test; empty where it had none.
    """

    root: Path
    environment: dict[str, str]
    printed: str = ""
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start Python in the repository, in a session of its own, with both outputs in one pipe."""
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(child)
        return child

    def close(self) -> None:
        """Let nothing outlive a test that failed half-way."""
        for child in self.started:
            child.terminate()
            child.wait()

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run Python to its end; its status and all it printed."""
        child = self.start(*arguments, **environment)
        printed = child.communicate()[0]
        return child.returncode, printed

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@localhost", *arguments]
        return subprocess.run(
            command, cwd=self.root, env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def take_real_ingest(self) -> None:
        """Put the stages survey and ingest in the place of the short program."""
        text = (self.root / "dvc.yaml").read_text()
        (self.root / "dvc.yaml").write_text(text.replace(INGEST, REAL_INGEST))

    def copy(self, folder: Path) -> "Repository":
        """The same in another folder, with a home of its own."""
        shutil.copytree(self.root, folder / "repository", ignore=shutil.ignore_patterns("train.pid"))
        (folder / "home").mkdir()
        return Repository(folder / "repository", self.environment | {"HOME": str(folder / "home")}, self.printed)

    def set(self, key: str, value: object) -> None:
        """Change one setting in params.yaml by hand."""
        params = self.root / "params.yaml"
        changed, times = re.subn(rf"(?m)^( +{key}:) \S+", rf"\1 {value}", params.read_text())
        assert times == 1
        params.write_text(changed)

    def training(self, state: Path = Path(".darkroom")) -> psutil.Process:
        """The hanging training, once it is there: of the folder's own line, or of one with its caches in another folder."""
        return wait_for(lambda: psutil.Process(int((self.root / state / "train.pid").read_text())))


def git_state(folder: Path) -> tuple[object, ...]:
    """All of git that a run must leave alone: HEAD, branches, the index byte by byte, what is staged, the stash, locks."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout

    return (
        (folder / ".git/HEAD").read_text(),
        git("for-each-ref", "refs/heads", "refs/tags"),
        (folder / ".git/index").read_bytes(),
        git("diff", "--cached"),
        git("stash", "list"),
        sorted(path.name for path in (folder / ".git").iterdir()),
    )


def make_repository(folder: Path, pictures: Path) -> Repository:
    """The short line over 15 images of three classes, committed, never run.

    Args:
        folder: to make it and an empty home in.
        pictures: class folders zero, one and two.
    """
    root, home = folder / "repository", folder / "home"
    home.mkdir()
    for number, label in enumerate(("zero", "one", "two")):
        (root / "images" / label).mkdir(parents=True)
        for index in range(5):
            shutil.copy(pictures / label / f"{5 * number + index:02}.png", root / "images" / label)
    for name, text in (("dvc.yaml", DVC_YAML), ("ingest.py", INGEST_PROGRAM), ("train.py", TRAIN)):
        (root / name).write_text(text)
    (root / ".dvc").mkdir()
    (root / "data").mkdir()
    for name in ("params.yaml", ".gitignore", ".dvcignore", ".dvc/config", "data/label_fixes.csv"):
        shutil.copy(ROOT / name, root / name)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "GIT_", "DVC_"))
    }
    silent = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    repository = Repository(root, environment | silent | {"HOME": str(home), "PYTHONPATH": str(ROOT)})
    repository.set("source", "folder")
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.git("add", ".")
    repository.git("commit", "--quiet", "--message=start")
    return repository


SERVER = """
import time
from flows import processes, server
processes.end_children_on_signals()
port = server.settle()
server.start(port, schedules=True)
print(server.address(), flush=True)
time.sleep(3600)
"""


def start_prefect(home: Path) -> "tuple[subprocess.Popen[str], str]":
    """A Prefect server with schedules, in a home of its own: its process and its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    child = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=ROOT,
        env=environment | {"PREFECT_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    return child, child.stdout.readline().strip()


Answer = TypeVar("Answer")


def wait_for(ask: Callable[[], Answer | None], patience: float = 60) -> Answer:
    """Ask again and again until there is an answer."""
    latest = time.monotonic() + patience
    while True:
        try:
            answer = ask()
        except (OSError, ValueError, psutil.NoSuchProcess):
            answer = None
        if answer:
            return answer
        assert time.monotonic() < latest, "it never came"
        time.sleep(0.1)


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
