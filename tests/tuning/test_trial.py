"""The result of a trial, and the configuration that trials of a study share."""

from darkroom.runtime.paths import PARAMS_FILE
from darkroom.settings.read import read_params
from darkroom.settings.train import Train
from darkroom.tuning.trial import TrialResult, best_of, study_name, trial_settings
from tests.conftest import ROOT

PARAMS = read_params(ROOT / PARAMS_FILE)


def test_a_pruned_trial_is_never_the_best() -> None:
    finished = TrialResult(0, "finished", {}, [(1, 0.5, 0.8), (2, 0.4, 0.8), (3, 0.6, 0.7)])
    pruned = TrialResult(1, "pruned", {}, [(1, 0.1, 0.9)])
    assert best_of([finished, pruned]) is finished and best_of([pruned]) is None
    assert finished.metrics() == {"validation": {"loss": 0.4, "accuracy": 0.8}, "step": 2}


def test_only_what_can_be_compared_shares_a_study() -> None:
    space = {"learning_rate": {"low": 0.01, "high": 1.0}}

    def name(**settings: object) -> str:
        return study_name(Train.model_validate(PARAMS.train.model_dump() | settings), space, "code", "data")

    # Taking the best over must not begin another study.
    assert name() == name(learning_rate=0.05)
    others = [name(), name(epochs=3), name(flip=not PARAMS.train.flip), study_name(PARAMS.train, space, "code", "new")]
    assert len(set(others)) == 4


def test_the_epochs_of_a_trial() -> None:
    assert trial_settings(PARAMS.train, PARAMS.tune.model_copy(update={"epochs": 3})).epochs == 3
    assert trial_settings(PARAMS.train, PARAMS.tune.model_copy(update={"epochs": None})) == PARAMS.train
