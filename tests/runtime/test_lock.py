"""A lock has one holder, whom a second one is told."""

import os
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.lock import LINE_LOCK, STARTED_UNDER, alone, beside_no_run


def test_a_second_holder_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    with (
        alone(tmp_path / "deep/lock", "it is taken", "make tune"),
        pytest.raises(DarkroomError, match=rf"^it is taken \(make tune, process {os.getpid()}, since 20.*\): wait for"),
        alone(tmp_path / "deep/lock", "it is taken", "make run"),
    ):
        pass
    with alone(tmp_path / "deep/lock", "it is taken", "make run"):
        pass


def test_a_stage_runs_beside_others_started_by_hand_and_under_a_run_that_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(STARTED_UNDER, raising=False)
    with (
        beside_no_run(),
        beside_no_run(),
        pytest.raises(DarkroomError, match=r"^busy \(a stage that was started by hand\)"),
        alone(LINE_LOCK, "busy", "make run"),
    ):
        pass
    with alone(LINE_LOCK, "busy", "make run"):
        with (
            pytest.raises(
                DarkroomError, match=r"another run of the line is at work in this folder \(make run, process"
            ),
            beside_no_run(),
        ):
            pass
        # Of another clone: that run is none of ours.
        monkeypatch.setenv(STARTED_UNDER, "/elsewhere/.darkroom/line/lock")
        with pytest.raises(DarkroomError), beside_no_run():
            pass
        monkeypatch.setenv(STARTED_UNDER, str(LINE_LOCK.resolve()))
        with beside_no_run():
            pass
