"""The only place that starts DVC."""

import graphlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from flows import processes
from flows.processes import Log


def bring_up_to_date(stage: str | None = None, log: Log | None = None) -> None:
    """Run what is stale: one stage alone, or without a name the whole line.

    Args:
        stage: its name in `dvc.yaml`. Nothing before it is looked at: go in the order of `stages_in_order`.
        log: takes each line that DVC and the stages print; see `flows.processes.run`.

    Raises:
        DarkroomError: naming the stage that stopped, and why.
    """
    target = ["--single-item", stage] if stage else []
    _run_or_explain(["--wait-for-lock", "repro", *target], log)


def bring_up_to(stage: str, log: Log | None = None) -> None:
    """Run what is stale of one stage and of all that it depends on; otherwise as `bring_up_to_date`."""
    _run_or_explain(["--wait-for-lock", "repro", stage], log)


def run_experiment(overrides: Sequence[str], log: Log | None = None) -> None:
    """Change settings in `params.yaml` and run what is stale, recorded as a DVC experiment.

    Args:
        overrides: `section.key=value` in Hydra's grammar, as `dvc exp run -S` takes them.
        log: see `bring_up_to_date`.

    Raises:
        DarkroomError: naming the stage that stopped, and why; `params.yaml` stays changed.
    """
    settings = [part for override in overrides for part in ("-S", override)]
    _run_or_explain(["--wait-for-lock", "exp", "run", *settings], log)


def is_up_to_date() -> bool:
    """Whether `dvc repro` would do nothing but run the stages that always run, such as `survey`.

    (`dvc repro --dry` can't tell where nothing was ever made: it fails.)
    """
    return all(found == ["always changed"] for found in json.loads(_ask("status", "--json")).values())


def stages_in_order() -> list[str]:
    """The names of the stages, each after those it depends on."""
    before: dict[str, list[str]] = {}
    for line in sorted(_ask("dag", "--dot").splitlines()):
        *earlier, stage = re.findall(r'"([^"]+)"', line) or [""]
        if stage:
            before.setdefault(stage, []).extend(earlier)
    return list(graphlib.TopologicalSorter(before).static_order())


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


def git_identity() -> dict[str, str]:
    """For the environment of a child that commits: a name where git knows none, else nothing.

    DVC records an experiment as a commit, and first stashes what is not committed; where git has no identity that fails
    with "Git user name and email must be configured". The name stands in this child's environment only.
    """
    identity = "Darkroom", "darkroom@localhost"
    unknown: dict[str, str] = {}
    for key, value in zip(("name", "email"), identity, strict=True):
        known = subprocess.run(["git", "config", f"user.{key}"], capture_output=True, check=False).stdout.strip()
        if not known:
            unknown |= {f"GIT_AUTHOR_{key.upper()}": value, f"GIT_COMMITTER_{key.upper()}": value}
    return unknown


def environment() -> dict[str, str]:
    """Ours, in which `python` is this interpreter, nothing phones home, lines come unbuffered, and git knows a name."""
    return {
        **git_identity(),
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }


def _run_or_explain(arguments: Sequence[str], log: Log | None) -> None:
    status, printed = processes.run(_command(arguments), environment(), log)
    if status != 0:
        raise DarkroomError(_explain(arguments, status, printed))


def _ask(*arguments: str) -> str:
    """What a DVC command that changes nothing prints."""
    answer = subprocess.run(_command(arguments), env=environment(), capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise DarkroomError(_explain(arguments, answer.returncode, answer.stdout + answer.stderr))
    return answer.stdout


def _explain(arguments: Sequence[str], status: int, printed: str) -> str:
    """Why DVC stopped: the stage, with its own last `error: …`; or what DVC itself has against the repository."""
    said_by_dvc = re.findall(r"^ERROR: (.*)", printed, flags=re.MULTILINE)
    if blocked := re.search(r"is busy, it is being blocked by:\s*(.*)", printed):
        return f"another run of the line is at work in this folder, {blocked[1].strip()}: wait for it, or end it"
    stopped = re.search(r"failed to reproduce '([^']+)'", "\n".join(said_by_dvc))
    if not stopped:
        reason = "\n".join(said_by_dvc) or printed.strip() or f"it ended with status {status}"
        return f"`dvc {' '.join(arguments)}` failed: {reason}"
    stage = stopped[1]
    said_by_stage = re.findall(r"^error: (.*?)(?=^ERROR: |\Z)", printed, flags=re.MULTILINE | re.DOTALL)
    if said_by_stage:
        return f"stage {stage} stopped: {said_by_stage[-1].strip()}"
    ending = re.search(r"exited with (-?\d+)", "\n".join(said_by_dvc))
    if not ending:
        return f"stage {stage} stopped: {said_by_dvc[-1]}"
    if ending[1] in ("-9", "137"):
        return f"stage {stage} was killed from outside, most often because the machine ran out of memory"
    return f"stage {stage} failed with status {ending[1]}; what it printed stands above"
