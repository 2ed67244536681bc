"""A held candidate is judged again when labels have come, and what the gate then decides is carried out."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from darkroom.gate.decision import Decision
from darkroom.gate.reasons import Outcome
from darkroom.registry import champion
from darkroom.registry.published import linked
from flows import decided, events, retrain
from flows.candidate import Candidate, last_candidate
from tests.support.registry import commit, make_git, pictures, promote_bundle
from tests.support.tiny_bundle import make_bundle

Judge = Callable[..., str | None]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a champion, as the current folder."""
    make_git(tmp_path / "repository")
    promote_bundle(tmp_path / "repository", 1)
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The events that were sent."""
    found: list[str] = []
    monkeypatch.setattr(events, "send", lambda kind, payload: found.append(kind))
    return found


@pytest.fixture
def judge(root: Path, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Asks about a candidate that was held with 10 new labels, when there are others, and the gate has decided so."""

    @contextlib.contextmanager
    def opened(name: str) -> Iterator[Any]:
        yield SimpleNamespace(get=lambda path: root / "held")

    monkeypatch.setattr(retrain, "open_revision", opened)
    monkeypatch.setattr(retrain, "show", lambda *arguments: None)
    monkeypatch.setattr(decided, "sample_images", lambda revision: pictures())
    make_bundle(root / "held", seed=2)
    last = Candidate(commit=commit(root), branch="retrain/x", outcome="hold", sentence="", labels=10, folder="/tree")

    def ask(labels: int, outcome: Outcome, dry: bool = False, accept: bool = False) -> str | None:
        decision = Decision(outcome, f"it is {outcome}", [], None, {}, {}, 0.005, None, {})
        asked: dict[str, Any] = {}

        def gate(folder: Path, **arguments: Any) -> Decision:
            asked.update(arguments)
            return decision

        monkeypatch.setattr(retrain, "run_gate", gate)
        monkeypatch.setattr(retrain, "new_labels", lambda root: labels)
        said = retrain._judge_held(root, last, retrain.Request("labels", False, dry, accept, False, print))
        assert said is None or asked == {"candidate": "retrain/x", "accept_test_changes": accept}
        return said

    return ask


def test_without_new_labels_it_waits(root: Path, judge: Judge, sent: list[str]) -> None:
    assert judge(10, "promote") is None
    assert sent == [] and last_candidate(root) is None


def test_labels_that_are_not_enough_are_remembered_and_its_images_stay(
    root: Path, judge: Judge, sent: list[str]
) -> None:
    assert judge(60, "hold") == "held: it is hold\nbranch retrain/x\npage reports/gate/index.html"
    last = last_candidate(root)
    assert last and (last.outcome, last.labels, last.folder) == ("hold", 60, "/tree")
    assert sent == ["held"] and linked(root) == "v1.0.0"


def test_labels_or_accepted_changes_that_are_enough_promote_it(root: Path, judge: Judge, sent: list[str]) -> None:
    assert str(judge(10, "promote", accept=True)).startswith("promoted, v1.1.0: it is promote\n")
    now, last = champion(root), last_candidate(root)
    assert now and last and now.number == "v1.1.0" == linked(root) and now.commit == last.commit
    assert (last.outcome, last.folder) == ("promote", "") and sent == ["promoted"]


def test_a_dry_run_changes_nothing(root: Path, judge: Judge, sent: list[str]) -> None:
    assert judge(60, "reject", dry=True) == "dry run, the gate would reject: it is reject"
    assert sent == [] and last_candidate(root) is None and linked(root) == "v1.0.0"
