"""Several training processes: when they are started again, and when not."""

import time

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.training import launch

KILLED = "training process 2 of 2 was killed by SIGKILL"


def lives(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> list[int]:
    """Let processes live so long and be killed, but the last time; returns the list of the starts, to be filled."""
    clock, starts = [0.0], list[int]()

    def live(count: int, module: str) -> str | None:
        clock[0] += seconds[len(starts)]
        starts.append(count)
        return KILLED if len(starts) < len(seconds) else None

    monkeypatch.setattr(launch, "_launch", live)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return starts


def test_a_killed_process_is_started_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    starts = lives(monkeypatch, 5, 5, 5, 5)
    launch._launch_again(2, "stages.train")
    assert starts == [2, 2, 2, 2]
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"train: {KILLED}; all start again from the last checkpoint (3 of 3)"
    )


def test_one_that_is_killed_again_and_again_stops_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    lives(monkeypatch, *[5] * 5)
    with pytest.raises(DarkroomError, match=rf"{KILLED}, 4 times in a row, .*set a smaller train\.batch_size"):
        launch._launch_again(2, "stages.train")


def test_kills_far_apart_do_not_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = lives(monkeypatch, *[launch.SHORT_LIFE + 1] * 9)
    launch._launch_again(2, "stages.train")
    assert len(starts) == 9
