"""Runs and trials as DVC experiments: `dvc exp show` lists them beside those that `dvc exp run` made.

An experiment is a commit on top of HEAD under `refs/exps/`. Git writes it here from an index of its own, without DVC: HEAD, the
branch, the stash and what the user has staged stay as they are, at whatever moment this is killed. `dvc exp save` detaches HEAD
and applies a stash on its way (docs/decisions/2026-11-27-experiments.md).
"""

import io
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.git import git, identity
from darkroom.runtime.lock import alone
from darkroom.runtime.paths import PARAMS_FILE, TRAIN_REPORTS
from darkroom.settings.write import with_settings
from darkroom.tuning.space import Value
from darkroom.tuning.trial import StudyConfig, TrialResult
from flows.dvc import DVC_LOCK, stages_in_order

FOLDER = Path(".darkroom/experiments")
INDEX = FOLDER / "index"
LOCK, RECORDING = FOLDER / "lock", "another experiment is being recorded"


def recorded() -> set[str]:
    """The names of all experiments of this repository; none where there is no git repository."""
    try:
        refs = _git("for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    except DarkroomError:
        return set()
    return {ref.rpartition("/")[2] for ref in refs}


def record_run() -> str | None:
    """Record the workspace as it is after a run: the tracked files, `params.yaml` and `dvc.lock`.

    Returns:
        The name of the experiment, `run-` and 8 hex digits of its content; None where the workspace is what is committed.

    Raises:
        DarkroomError: when there is no commit that it could be compared with.
    """
    with alone(LOCK, RECORDING, "an experiment", print):
        head = _start()
        _git("add", "--force", str(PARAMS_FILE), str(DVC_LOCK))
        tree = _git("write-tree")
        if tree == _git("rev-parse", "HEAD^{tree}"):
            return None
        name = f"run-{tree[:8]}"
        if name not in recorded():
            _commit(name, head, tree)
        return name


def record_trial(name: str, params: str, metrics: Mapping[str, Any], stages: Collection[str]) -> None:
    """Record one training of the stage `train`.

    Args:
        name: of the experiment; new, and fit for a git reference.
        params: the text of `params.yaml` that it was trained with.
        metrics: what `reports/train/metrics.json` would hold.
        stages: those before `train`: what the later ones left in `dvc.lock` is of another training, and is left out.

    Raises:
        DarkroomError: when there is no commit that it could be compared with.
    """
    with alone(LOCK, RECORDING, "an experiment", print):
        head = _start()
        _put(str(PARAMS_FILE), params)
        _put(str(DVC_LOCK), _lock_of(stages))
        _put((TRAIN_REPORTS / "metrics.json").as_posix(), json.dumps(metrics, indent=2) + "\n")
        _commit(name, head, _git("write-tree"))


class TrialRecorder:
    """Makes an experiment of each training that ended and has none yet."""

    def __init__(self, config: StudyConfig) -> None:
        self._config = config
        self._text = PARAMS_FILE.read_text(encoding="utf-8")
        stages = stages_in_order()
        self._before_train = stages[: stages.index("train")]

    def __call__(self, trained: list[TrialResult]) -> None:
        names = recorded()
        for result in trained:
            name = experiment_name(self._config.study, result)
            if result.state != "unfinished" and name not in names:
                settings = result.settings | {"epochs": self._config.train.epochs}
                text = with_settings(self._text, full_names(settings))
                record_trial(name, text, result.metrics(), self._before_train)


def full_names(settings: Mapping[str, Value]) -> dict[str, Value]:
    """Settings of `train` under the names that `make run SET=…` takes."""
    return {f"train.{name}": value for name, value in settings.items()}


def experiment_name(study: str, result: TrialResult) -> str:
    """`tune-STUDY-NUMBER`, and its state where it did not finish."""
    place = "baseline" if result.number is None else f"{result.number:03}"
    return f"tune-{study}-{place}" + ("" if result.state == "finished" else f"-{result.state}")


def _start() -> str:
    """A fresh index with all tracked files as they are now; the commit that HEAD names."""
    head = _git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    for left in (INDEX, INDEX.with_suffix(".lock")):
        left.unlink(missing_ok=True)
    _git("read-tree", head)
    _git("add", "--update")
    return head


def _commit(name: str, head: str, tree: str) -> None:
    commit = _git("commit-tree", tree, "-p", head, "-m", f"dvc: commit experiment {name}")
    reference = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    # Left by an `update-ref` that was killed; nothing else writes this name.
    Path(_git("rev-parse", "--git-path", f"{reference}.lock")).unlink(missing_ok=True)
    _git("update-ref", reference, commit)


def _lock_of(stages: Collection[str]) -> str:
    yaml = YAML()
    lock = yaml.load(DVC_LOCK.read_text(encoding="utf-8"))
    for stage in [stage for stage in lock["stages"] if stage not in stages]:
        del lock["stages"][stage]
    buffer = io.StringIO()
    yaml.dump(lock, buffer)
    return buffer.getvalue()


def _put(path: str, text: str) -> None:
    """Put a file into the index, whether or not git ignores it."""
    blob = _git("hash-object", "-w", "--stdin", text=text)
    _git("update-index", "--add", "--cacheinfo", f"100644,{blob},{_git('rev-parse', '--show-prefix')}{path}")


def is_committed(path: Path) -> bool:
    """Whether git's last commit has a file; False outside git, and before the first commit."""
    try:
        _git("cat-file", "-e", f"HEAD:./{path}")
    except DarkroomError:
        return False
    return True


def _git(*arguments: str, text: str | None = None) -> str:
    names = identity(Path()) if arguments[0] == "commit-tree" else {}
    try:
        return git(Path(), *arguments, text=text, environment={**names, "GIT_INDEX_FILE": str(INDEX.resolve())})
    except DarkroomError as error:
        raise DarkroomError(f"experiments need a git repository with a commit: {error}") from None
