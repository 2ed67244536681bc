"""DVC is asked in the right order, and its failures become one message that says which stage, and why."""

import signal
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from flows import dvc
from tests.conftest import ROOT
from tests.flows.repository import DIES, FAILS, HANGS, Repository, ended, wait_for


def test_stages_come_after_those_they_need(here: Repository) -> None:
    assert dvc.stages_in_order() == ["ingest", "train"]


def test_our_own_line_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    order = dvc.stages_in_order()
    assert set(order) == {path.stem for path in Path("stages").glob("[!_]*.py")}
    for earlier, later in zip(
        ("survey", "ingest", "validate", "split", "preprocess", "train", "evaluate", "quantize"),
        ("ingest", "validate", "split", "preprocess", "train", "evaluate", "export", "export"),
        strict=True,
    ):
        assert order.index(earlier) < order.index(later)


def test_a_stage_at_a_time_is_the_whole_line(here: Repository) -> None:
    assert not dvc.is_up_to_date()
    lines: list[str] = []
    for stage in dvc.stages_in_order():
        dvc.bring_up_to_date(stage, lines.append)
    assert "epoch 1" in lines
    assert dvc.is_up_to_date()


def test_a_failing_stage_is_named_with_its_own_last_words(here: Repository) -> None:
    here.set("epochs", FAILS)
    with pytest.raises(DarkroomError) as caught:
        dvc.bring_up_to_date(log=lambda line: None)
    assert str(caught.value) == "stage train stopped: the loss is not a number:\n  - in epoch 1\n  - in epoch 2"


def test_a_stage_that_dies_without_a_word_points_to_memory(here: Repository) -> None:
    here.set("epochs", DIES)
    with pytest.raises(DarkroomError, match=r"stage train was killed from outside, .*memory"):
        dvc.bring_up_to_date(log=lambda line: None)


def test_what_dvc_has_against_a_repository_is_told(here: Repository) -> None:
    (here.root / "dvc.yaml").write_text("stages: [")
    with pytest.raises(DarkroomError, match=r"dvc .*repro` failed: .*dvc\.yaml. is invalid"):
        dvc.bring_up_to_date(log=lambda line: None)


def test_an_experiment_needs_no_git_identity_also_where_something_is_not_committed(here: Repository) -> None:
    (here.root / "notes.txt").write_text("mine")
    here.git("add", "notes.txt")
    here.set("patience", 4)
    dvc.run_experiment(["train.epochs=3"], lambda line: None)
    assert dvc.is_up_to_date()
    assert (here.root / "notes.txt").read_text() == "mine"
    assert "experiment" in here.git("log", "--all", "--format=%s")


def test_an_experiment_that_is_stopped_leaves_git_as_it_was_and_no_training(repository: Repository) -> None:
    notes = repository.root / "train.py"
    notes.write_text(notes.read_text() + "# mine\n")
    program = (
        "from flows import dvc, processes; processes.end_children_on_signals(); dvc.run_experiment(['train.epochs=99'])"
    )
    assert HANGS == 99
    command = repository.start("-c", program)
    training = repository.training()
    command.send_signal(signal.SIGINT)
    printed = command.communicate()[0]
    assert command.returncode == 130 and "Traceback" not in printed
    wait_for(lambda: ended(training))
    assert repository.git("symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert repository.git("stash", "list") == ""
    assert notes.read_text().endswith("# mine\n")


def test_a_folder_where_another_run_is_at_work_is_said_with_its_process() -> None:
    printed = (
        "ERROR: failed to reproduce 'ingest': '/a/data/ingest' is busy, it is being blocked by:\n"
        "  (PID 4711): dvc repro\nIf there are no processes with such IDs, you can manually remove the lock.\n"
    )
    message = dvc._explain(["repro"], 255, printed)
    assert message == "another run of the line is at work in this folder, (PID 4711): dvc repro: wait for it, or end it"
