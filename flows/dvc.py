"""The only place that starts DVC, and what it says when it fails."""

import graphlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from darkroom.runtime.disk import explain_words
from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.lock import LINE_LOCK, STARTED_UNDER
from flows import processes
from flows.processes import Log

FOLDER = LINE_LOCK.parent
DVC_YAML, DVC_LOCK = Path("dvc.yaml"), Path("dvc.lock")
# What DVC says to whoever types it by hand; a run's log is read by others.
ADVICE = re.compile(
    r"To track the changes with git|To enable auto staging|\s+(git add|dvc config core\.autostage) |Use `dvc push` to"
)


def bring_up_to_date(stage: str | None = None, log: Log | None = None) -> bool:
    """Run what is stale: one stage alone, or without a name the whole line.

    Args:
        stage: its name in `dvc.yaml`. Nothing before it is looked at: go in the order of `stages_in_order`.
        log: takes each line that DVC and the stages print; see `flows.processes.run`.

    Returns:
        Whether a stage may have written something else than it had.

    Raises:
        DarkroomError: naming the stage that stopped, and why.
    """
    target = ["--single-item", stage] if stage else []
    printed = _run_or_explain(["--wait-for-lock", "repro", *target], log)
    return stage is None or f"Stage '{stage}' didn't change, skipping" not in printed


def bring_up_to(stage: str, log: Log | None = None) -> None:
    """Run what is stale of one stage and of all that it depends on; otherwise as `bring_up_to_date`."""
    _run_or_explain(["--wait-for-lock", "repro", stage], log)


def is_up_to_date() -> bool:
    """Whether `dvc repro` would do nothing but run the stages that always run, such as `survey`.

    The stage `code`, where the line has it, runs first: `dvc status` sees a change of code only in what it writes.
    (`dvc repro --dry` can't tell where nothing was ever made: it fails.)
    """
    if "code" in stages_in_order():
        bring_up_to_date("code", lambda line: None)
    return all(found == ["always changed"] for found in json.loads(ask("status", "--json")).values())


def stages_in_order() -> list[str]:
    """The names of the stages in `dvc.yaml`, each after those whose outputs it depends on.

    Raises:
        DarkroomError: when the file can't be read, or its stages depend on each other in a circle.
    """
    return list(inputs_of_stages())


def inputs_of_stages() -> dict[str, list[str]]:
    """The stages whose outputs each stage depends on, in the order of `stages_in_order`; raises as that does."""
    stages = _read_stages()
    try:
        made = {name: _paths(stage.get("outs", [])) for name, stage in stages.items()}
        needed = {name: _paths(stage.get("deps", [])) for name, stage in stages.items()}
        before = {
            name: sorted(other for other in made if any(_overlap(a, b) for a in needed[name] for b in made[other]))
            for name in stages
        }
        return {name: before[name] for name in graphlib.TopologicalSorter(before).static_order()}
    except (TypeError, AttributeError, graphlib.CycleError) as error:
        raise _not_readable(error) from None


def stages_always_run() -> list[str]:
    """Those that run every time, such as `survey`, in order; raises as `stages_in_order` does."""
    stages = _read_stages()
    return [name for name in stages_in_order() if stages[name].get("always_changed")]


def _read_stages() -> dict[str, dict[str, Any]]:
    try:
        stages: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(DVC_YAML)["stages"]
        return dict(stages.items())
    except (OSError, YAMLError, LookupError, TypeError, AttributeError) as error:
        raise _not_readable(error) from None


def _not_readable(error: Exception) -> DarkroomError:
    return DarkroomError(f"{DVC_YAML} can't be read as a list of stages: {error}")


def _paths(entries: list[Any]) -> list[str]:
    """The paths of `deps` or `outs`, each alone or with options below it."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def environment() -> dict[str, str]:
    """Ours, in which `python` is this interpreter and lines come unbuffered.

    Whoever is started with it is known to be ours: see `darkroom.runtime.lock` and `flows.orphans.end_all`.
    """
    changed = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{variable('PATH') or os.defpath}",
        "PYTHONUNBUFFERED": "1",
        STARTED_UNDER: str(LINE_LOCK.resolve()),
    }
    here = Path.cwd()
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        changed["DVC_SYSTEM_CONFIG_DIR"] = str(_config_without_git().resolve())
    return {**os.environ, **changed}


def _config_without_git() -> Path:
    """A folder with a configuration by which DVC works outside a git repository; the user's own has precedence over it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    return FOLDER


def has_other_inputs(log: Log) -> bool:
    """Whether a stage has an input or a setting that is another one than `dvc.lock` says, after those that always run."""
    return bool(stages_with_other_inputs(log, stages_always_run()))


def stages_with_other_inputs(log: Log, first: Sequence[str]) -> list[str]:
    """The stages with an input or a setting that is another one than `dvc.lock` says.

    What is only missing here does not count: a worktree or a clone has nothing yet of what was made before.

    Args:
        log: takes each line that DVC prints.
        first: the stages to run before, of those that always run.
    """
    if always := [stage for stage in first if stage in stages_always_run()]:
        _run_or_explain(["--wait-for-lock", "repro", "--single-item", *always], log)
    return [
        stage
        for stage, found in json.loads(ask("status", "--json")).items()
        if any(entry != "always changed" and (isinstance(entry, str) or _differs(entry)) for entry in found)
    ]


def _differs(entry: dict[str, Any]) -> bool:
    """Whether one entry of `dvc status --json` has more than files that are missing."""
    return any(
        state != "deleted"
        for found in entry.values()
        for state in (found.values() if isinstance(found, dict) else [found])
    )


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


def _run_or_explain(arguments: Sequence[str], log: Log | None) -> str:
    status, printed = processes.run(_command(arguments), environment(), log and without_advice(log))
    if status != 0:
        raise DarkroomError(explain(arguments, status, printed))
    return printed


def without_advice(log: Log) -> Log:
    """The same log without what DVC advises whoever types it."""

    def take(line: str) -> None:
        if not ADVICE.match(line):
            log(line)

    return take


def ask(*arguments: str) -> str:
    """What a DVC command that changes nothing prints."""
    answer = subprocess.run(_command(arguments), env=environment(), capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise DarkroomError(explain(arguments, answer.returncode, answer.stdout + answer.stderr))
    return answer.stdout


def explain(arguments: Sequence[str], status: int, printed: str) -> str:
    """Why DVC stopped: the stage, with its own last `error: …`; or what DVC itself has against the repository."""
    of_dvc = re.findall(r"^ERROR: (.*)", printed, flags=re.MULTILINE)
    if blocked := re.search(r"is busy, it is being blocked by:\s*(.*)", printed):
        return f"another run of the line is at work in this folder, {blocked[1].strip()}: wait for it, or end it"
    stopped = re.search(r"failed to reproduce '([^']+)'", "\n".join(of_dvc))
    if not stopped:
        reason = "\n".join(of_dvc) or printed.strip() or f"it ended with status {status}"
        return f"`dvc {' '.join(arguments)}` failed: {reason}{explain_words(reason)}"
    stage = stopped[1]
    of_stage = re.findall(r"^error: (.*?)(?=^ERROR: |\Z)", printed, flags=re.MULTILINE | re.DOTALL)
    if of_stage:
        return f"stage {stage} stopped: {of_stage[-1].strip()}"
    ending = re.search(r"exited with (-?\d+)", "\n".join(of_dvc))
    if not ending:
        return f"stage {stage} stopped: {of_dvc[-1]}{explain_words(of_dvc[-1])}"
    if ending[1] in ("-9", "137"):
        return f"stage {stage} was killed from outside, most often because the machine ran out of memory"
    return f"stage {stage} failed with status {ending[1]}; what it printed is above"
