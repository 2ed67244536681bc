"""Trials as DVC experiments: `dvc exp show` lists them beside those that `dvc exp run` made.

An experiment is a commit on top of HEAD under `refs/exps/`, and git writes it here without DVC. `dvc exp save` would save the
workspace: the trial's settings beside the weights and the test accuracy of another training; see
docs/decisions/2026-11-23-tuning.md.
"""

import io
import json
import os
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from darkroom.runtime.errors import DarkroomError
from flows import dvc

METRICS = "reports/train/metrics.json"
# Our own, so that what the user has staged stays as it is.
INDEX = Path(".darkroom/tune/index")


def recorded() -> set[str]:
    """The names of all experiments of this repository."""
    return {line.rpartition("/")[2] for line in _git("for-each-ref", "--format=%(refname)", "refs/exps").splitlines()}


def record(name: str, params: str, metrics: Mapping[str, Any], stages: Collection[str]) -> None:
    """Record one training of the stage `train`.

    Args:
        name: of the experiment; new, and fit for a git reference.
        params: the text of `params.yaml` that it was trained with.
        metrics: what `reports/train/metrics.json` would say.
        stages: those before `train`: what the later ones left in `dvc.lock` is of another training, and is left out.

    Raises:
        DarkroomError: when there is no commit that it could be compared with.
    """
    head = _git("rev-parse", "HEAD")
    _git("read-tree", "HEAD")
    _git("add", "--update")
    _put("params.yaml", params)
    _put("dvc.lock", _lock(stages))
    _put(METRICS, json.dumps(metrics, indent=2) + "\n")
    commit = _git("commit-tree", _git("write-tree"), "-p", head, "-m", f"dvc: commit experiment {name}")
    _git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", commit)


def _lock(stages: Collection[str]) -> str:
    yaml = YAML()
    lock = yaml.load(Path("dvc.lock").read_text(encoding="utf-8"))
    for stage in [stage for stage in lock["stages"] if stage not in stages]:
        del lock["stages"][stage]
    buffer = io.StringIO()
    yaml.dump(lock, buffer)
    return buffer.getvalue()


def _put(path: str, text: str) -> None:
    """Put a file into the index, whether or not git ignores it."""
    blob = _git("hash-object", "-w", "--stdin", text=text)
    _git("update-index", "--add", "--cacheinfo", f"100644,{blob},{_git('rev-parse', '--show-prefix')}{path}")


def _git(*arguments: str, text: str | None = None) -> str:
    environment = {**dvc.git_identity(), **os.environ, "GIT_INDEX_FILE": str(INDEX.resolve())}
    done = subprocess.run(["git", *arguments], env=environment, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DarkroomError(
            f"a trial can't be recorded as an experiment: `git {arguments[0]}` failed: {done.stderr.strip()}; experiments "
            "need a git repository with a commit"
        )
    return done.stdout.strip()
