"""A comment says whether the lock is in sync and pushed, and what the gate decided."""

import json

import pytest

from darkroom.runtime.errors import DarkroomError
from flows import dvc, pull_request
from tests.support.repository import Repository


def test_a_clone_without_data_has_a_lock_in_sync_until_a_setting_changes(here: Repository) -> None:
    here.git("add", "--force", "dvc.lock")
    here.git("clean", "-fdxq", "-e", ".dvc")
    assert pull_request.lock_text() == "dvc.lock is in sync, and there is no remote to which its data could be pushed."
    here.set("epochs", 3)
    assert pull_request.lock_text().startswith("**dvc.lock is not in sync**: `train` had other code or settings.")


def test_what_the_remote_has_not_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"remote": "backup s3://x", "status": '{"data/ingest": "missing", "models/train": "deleted"}'}
    monkeypatch.setattr(dvc, "ask", lambda command, *_: answers[command])
    assert pull_request._pushed_text().startswith("**but not pushed**: the remote has not all that it names (1 ")
    answers["status"] = "{}"
    assert pull_request._pushed_text() == "and pushed."


def test_the_gates_decision_is_shown_and_a_damaged_one_is_named(here: Repository) -> None:
    assert pull_request.decision_text() == ""
    pull_request.DECISION.parent.mkdir(parents=True)
    reasons = [
        {"check": "parity", "passed": True, "words": "it holds"},
        {"check": "slice", "passed": False, "words": "<b>"},
    ]
    pull_request.DECISION.write_text(json.dumps({"outcome": "reject", "sentence": "It is worse.", "reasons": reasons}))
    assert pull_request.decision_text() == "**The gate: `reject`.** `It is worse.`\n\n- ✓ `it holds`\n- ✗ `<b>`"
    pull_request.DECISION.write_text("{}")
    with pytest.raises(DarkroomError, match=r"decision\.json is damaged"):
        pull_request.decision_text()
