"""Retraining makes candidates, the gate decides, and nothing of the user's is touched: on digits, as a user types it."""

import json
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from darkroom.registry import champion
from darkroom.registry.published import linked
from darkroom.runtime.git import git
from tests.support.clones import clone_repository
from tests.support.repository import git_state

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]


class Clone:
    """A clone of this repository on digits, with a network of seconds."""

    def __init__(self, root: Path, environment: dict[str, str], api: str) -> None:
        self.root, self.environment, self.api = root, environment | {"PREFECT_API_URL": api}, api
        clone_repository(root)
        self.commit(
            ("source: fashion-mnist", "source: digits"),
            ("network: auto", "network: small_image_net"),
            ("flip: auto", "flip: false"),
            ("epochs: 12", "epochs: 1"),
            ("learning_rate: auto", "learning_rate: 0.003"),
            ("robustness_images: 60", "robustness_images: 0"),
        )

    def commit(self, *changes: tuple[str, str]) -> None:
        params = self.root / "params.yaml"
        text = params.read_text()
        for before, after in changes:
            text, times = re.subn(rf"(?m)^  {re.escape(before)}(?= |$)", f"  {after}", text)
            assert times == 1, before
        params.write_text(text)
        git(self.root, "commit", "-q", "-a", "-m", "other settings")

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def retrain(self, *arguments: str) -> str:
        """The lines that a retraining ends with."""
        printed, _ = (process := self.start("flows.retrain_now", *arguments)).communicate()
        assert process.returncode == 0, printed
        return printed[printed.rindex("Finished in state") :].partition("\n")[2]

    def events(self) -> list[str]:
        request = urllib.request.Request(
            f"{self.api}/events/filter",
            json.dumps({"filter": {"event": {"prefix": ["darkroom.model"]}}}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            found: list[dict[str, Any]] = json.load(answer)["events"]
        return [event["event"].removeprefix("darkroom.model.") for event in found]

    def state(self) -> tuple[object, ...]:
        """All that a retraining must leave alone where nothing is promoted."""
        bundle = {
            path: path.read_bytes() for path in sorted((self.root / "models/serving").rglob("*")) if path.is_file()
        }
        status = git(self.root, "status", "--porcelain")
        head, _, *rest = git_state(self.root)
        return bundle, linked(self.root), git(self.root, "tag"), git(self.root, "rev-parse", "main"), status, head, rest


@pytest.fixture
def clone(tmp_path: Path, user_environment: dict[str, str], prefect_api: str) -> Iterator[Clone]:
    yield Clone(tmp_path / "darkroom", user_environment, prefect_api)


def test_candidates_are_promoted_rejected_or_not_even_made(clone: Clone) -> None:
    # Other tests retrain on this server, too.
    earlier = Counter(clone.events())
    assert clone.retrain("--reason=the first").startswith("promoted, v1.0.0: ")
    before = clone.state()
    assert clone.retrain().startswith("no new data: v1.0.0 was made of it\n")
    assert clone.state() == before

    # A better one, while `make run` works in the user's own folder.
    clone.commit(("learning_rate: 0.003", "learning_rate: auto"), ("epochs: 1", "epochs: 6"))
    own = clone.start("flows.run")
    better = clone.retrain("--reason=more epochs")
    assert better.startswith("promoted, v1.1.0: ")
    printed, _ = own.communicate()
    assert own.returncode == 0, printed
    now = champion(clone.root)
    assert now and now.number == "v1.1.0" == linked(clone.root)
    assert now.decision["outcome"] == "promote"
    branch = next(line.removeprefix("branch ") for line in better.splitlines() if line.startswith("branch "))
    assert git(clone.root, "rev-parse", branch) == now.commit
    committed = git(clone.root, "diff", "--name-only", "main", branch).splitlines()
    assert committed == ["dvc.lock", "reports/gate/decision.json", "reports/retrain/changes.md"]
    # Both lines made the same.
    assert git(clone.root, "show", f"{branch}:dvc.lock") == (clone.root / "dvc.lock").read_text().rstrip("\n")

    # A dry run and a worse one change nothing.
    clone.commit(("learning_rate: auto", "learning_rate: 0.0003"), ("epochs: 6", "epochs: 1"))
    before = clone.state()
    assert clone.retrain("--dry=1").startswith("dry run, the gate would reject: ")
    assert clone.state() == before
    assert clone.retrain().startswith("rejected: ")
    assert clone.state() == before
    assert "was made of it" in clone.retrain()
    assert clone.state() == before
    assert Counter(clone.events()) - earlier == Counter(candidate=3, promoted=2, rejected=1)


def test_a_rollback_tells_the_server(clone: Clone) -> None:
    printed, _ = (process := clone.start("flows.rollback")).communicate()
    assert process.returncode == 1
    assert printed == "error: there is no champion before the first one: `make models` lists the versions\n"
