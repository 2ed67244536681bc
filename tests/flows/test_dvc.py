"""DVC is asked in the right order, and its failures become one message that says which stage, and why."""

from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from flows import dvc
from tests.conftest import ROOT
from tests.support.repository import DIES, FAILS, Repository


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
    here.set("epochs", 3)
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


def test_an_error_of_dvc_itself_is_shown(here: Repository) -> None:
    (here.root / "dvc.yaml").write_text("stages: [")
    with pytest.raises(DarkroomError, match=r"dvc .*repro` failed: .*dvc\.yaml. is invalid"):
        dvc.bring_up_to_date(log=lambda line: None)


@pytest.mark.parametrize(
    "text",
    [
        "stages: [",
        "stages:\n  a:\n    cmd: a\n    deps: [b]\n    outs: [a]\n  b:\n    cmd: b\n    deps: [a/c]\n    outs: [b]\n",
        "[]",
    ],
)
def test_a_file_that_has_no_line_is_an_error_of_one_line(here: Repository, text: str) -> None:
    (here.root / "dvc.yaml").write_text(text)
    with pytest.raises(DarkroomError, match=r"dvc\.yaml can't be read as a list of stages: "):
        dvc.stages_in_order()


def test_a_folder_where_another_run_is_at_work_is_an_error_with_its_process() -> None:
    printed = (
        "ERROR: failed to reproduce 'ingest': '/a/data/ingest' is busy, it is being blocked by:\n"
        "  (PID 4711): dvc repro\nIf there are no processes with such IDs, you can manually remove the lock.\n"
    )
    message = dvc.explain(["repro"], 255, printed)
    assert message == "another run of the line is at work in this folder, (PID 4711): dvc repro: wait for it, or end it"
