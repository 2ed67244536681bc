"""The study: a tuning that is cut off goes on as if it had not been."""

from pathlib import Path

import pytest

from darkroom.tuning.space import Choices, Range, Value
from darkroom.tuning.study import EPOCHS, SETTINGS, fail_running, importances, next_trial, open_study, results
from darkroom.tuning.trial import best_of

SPACE: dict[str, Range | Choices] = {"learning_rate": Range(0.01, 1, True, False), "batch_size": Choices((16, 32))}


def tune(database: Path, trials: int, cut_off: tuple[int, ...] = ()) -> list[dict[str, Value]]:
    """The settings of each trial; those in `cut_off` are left once and resumed by another process's study."""
    found = []
    for number in range(trials):
        study = open_study(database, "one", "median", 3)
        trial = next_trial(study, SPACE, seed=0)
        if number in cut_off:
            study = open_study(database, "one", "median", 3)
            again = next_trial(study, SPACE, seed=0)
            assert again.number == trial.number and again.user_attrs == trial.user_attrs
            trial = again
        settings = trial.user_attrs[SETTINGS]
        loss = abs(float(settings["learning_rate"]) - 0.1) + 0.1
        trial.set_user_attr(EPOCHS, [[1, loss, 0.5]])
        study.tell(trial, loss)
        found.append(settings)
    return found


def test_a_study_that_was_cut_off_samples_what_it_would_have_sampled(tmp_path: Path) -> None:
    whole = tune(tmp_path / "whole.db", 14)
    assert tune(tmp_path / "cut.db", 14, cut_off=(0, 5, 12)) == whole
    assert len({str(settings) for settings in whole}) == 14
    study = open_study(tmp_path / "whole.db", "one", "median", 3)
    shares = importances(study)
    assert list(shares) == ["learning_rate", "batch_size"] and sum(shares.values()) == pytest.approx(1)
    assert shares["learning_rate"] > 0.8
    best = best_of(results(study))
    assert best and best.loss == min(result.loss for result in results(study))


def test_a_trial_whose_process_died_is_kept_with_its_reason_and_not_repeated(tmp_path: Path) -> None:
    study = open_study(tmp_path / "trials.db", "one", "none", 3)
    first = next_trial(study, SPACE, seed=0)
    fail_running(study, "memory ran out")
    second = next_trial(study, SPACE, seed=0)
    assert (first.number, second.number) == (0, 1)
    states = [(result.state, result.reason) for result in results(study)]
    assert states == [("failed", "memory ran out"), ("unfinished", "")]
