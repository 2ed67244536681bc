"""The trials in Optuna's own storage, an SQLite file; `optuna-dashboard sqlite:///FILE` reads it too.

The sampler is the tree-structured Parzen estimator (Bergstra et al. 2011: "Algorithms for hyper-parameter optimization"),
seeded by the number of trials that ended before: a study that is cut off and resumed samples what it would have sampled.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.runtime.seeding import seed_of
from darkroom.tuning.space import Range, Space, round_sampled
from darkroom.tuning.trial import TrialResult

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

# So many trials are sampled at random, and so many are not pruned by the median: it takes some to know what is usual.
FIRST_AT_RANDOM, FIRST_UNPRUNED = 8, 4

SETTINGS, EPOCHS, REASON = "settings", "epochs", "reason"


def open_study(database: Path, name: str, pruner: str, epochs: int) -> "Study":
    """A study by name, made where there is none.

    Args:
        database: the SQLite file.
        name: of the study.
        pruner: `none`, `median` or `hyperband`.
        epochs: of a trial, at most.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    database.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=f"sqlite:///{database}",
        study_name=name,
        direction="minimize",
        load_if_exists=True,
        pruner=_pruner(pruner, epochs),
    )


def _pruner(name: str, epochs: int) -> "BasePruner":
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    if name == "hyperband":
        return HyperbandPruner(min_resource=min(max(2, epochs // 3), epochs), max_resource=epochs)
    if name == "median":
        # A one-cycle schedule begins with high rates and batch normalisation that has not settled: on the digits a loss of 19.7
        # after epoch 1 of 3 ended as 0.18, and would have been pruned.
        return MedianPruner(n_startup_trials=FIRST_UNPRUNED, n_warmup_steps=max(2, epochs // 3))
    return NopPruner()


def next_trial(study: "Study", space: Space, seed: int) -> "Trial":
    """The trial that was cut off, where there is one; else a new one.

    Its settings are in its user attribute `settings`. Not for two processes at once: each would resume the other's trial.

    Args:
        study: from `open_study`.
        space: to sample from; the same for all trials of a study.
        seed: of the sampler.
    """
    from optuna import Trial
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    for running in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        if SETTINGS in running.user_attrs:
            return Trial(study, running._trial_id)
        # Cut off between its first sign and its settings.
        study.tell(running.number, state=TrialState.FAIL)
    ended = len(_ended(study))
    study.sampler = TPESampler(n_startup_trials=FIRST_AT_RANDOM, seed=seed_of("tune", seed, ended) % 2**32)
    trial = study.ask({name: _distribution(dimension) for name, dimension in space.items()})
    trial.set_user_attr(SETTINGS, round_sampled(space, trial.params))
    return trial


def _distribution(dimension: object) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(dimension, Range):
        return CategoricalDistribution(dimension.values)  # type: ignore[attr-defined]
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def fail_running(study: "Study", reason: str) -> None:
    """End the trial that is under way as failed: it is not resumed, and values like its own are sampled less."""
    from optuna import Trial
    from optuna.trial import TrialState

    for running in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        trial = Trial(study, running._trial_id)
        trial.set_user_attr(REASON, reason)
        study.tell(trial, state=TrialState.PRUNED)


def results(study: "Study") -> list[TrialResult]:
    """All trials in the order of their numbers, without those that never had settings."""
    return [_result(trial) for trial in study.get_trials(deepcopy=False) if SETTINGS in trial.user_attrs]


def _ended(study: "Study") -> "list[FrozenTrial]":
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])


def _result(trial: "FrozenTrial") -> TrialResult:
    attributes = trial.user_attrs
    epochs = [(int(number), loss, accuracy) for number, loss, accuracy in attributes.get(EPOCHS, [])]
    if not trial.state.is_finished():
        state = "unfinished"
    elif REASON in attributes:
        state = "failed"
    else:
        state = "finished" if trial.state.name == "COMPLETE" else "pruned"
    return TrialResult(trial.number, state, attributes[SETTINGS], epochs, attributes.get(REASON, ""))  # type: ignore[arg-type]


def importances(study: "Study") -> dict[str, float]:
    """How much of the variation of the loss each setting explains, most first, as fractions of one.

    fANOVA over the finished trials (Hutter et al. 2014: "An efficient approach for assessing hyperparameter importance"). Empty
    for fewer than four of them, and where all have the same loss.
    """
    finished = [trial for trial in _ended(study) if trial.state.name == "COMPLETE"]
    if len(finished) < 4 or len({trial.value for trial in finished}) < 2:
        return {}
    # Here, since it brings scikit-learn along: 3 s.
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
