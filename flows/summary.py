"""The printed end of a run: the headline, what each stage cost, where things are, what to type next."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from darkroom.evaluation.headline import read_headline
from darkroom.runtime.files import read_json
from darkroom.runtime.paths import BUNDLE, EVALUATE_REPORTS, TIMINGS

METRICS = EVALUATE_REPORTS / "metrics.json"
REPORT = EVALUATE_REPORTS / "report.html"


def headline(confidence: float) -> str:
    """Test accuracy with its interval, from the metrics that `evaluate` wrote.

    Args:
        confidence: of the interval, in (0, 1).
    """
    test = read_headline(METRICS).test
    return (
        f"{test['accuracy']:.2%}, {confidence:.0%} interval {test['accuracy_low']:.2%} to {test['accuracy_high']:.2%}, "
        f"on {test['images']:,} images"
    )


def timing_marks(stages: list[str]) -> dict[str, int]:
    """When each stage last wrote its time, in nanoseconds; a stage whose mark does not move did not run."""
    files = {name: TIMINGS / f"{name}.json" for name in stages}
    return {name: file.stat().st_mtime_ns for name, file in files.items() if file.exists()}


def summary(stages: list[str], marks_before: dict[str, int], total: float, confidence: float) -> str:
    """All that is printed at the end of a run.

    Args:
        stages: their names, in order.
        marks_before: `timing_marks` from before the run.
        total: seconds, of the whole run.
        confidence: of the interval, in (0, 1).
    """
    marks = timing_marks(stages)
    rows = [("test accuracy", headline(confidence)), ("", "")]
    for name in stages:
        ran = name in marks and marks[name] != marks_before.get(name)
        rows.append((name, _costs(name) if ran else "up to date"))
    rows.append(("in all", f"{_seconds(total)}, with what DVC takes"))
    rows += [("", ""), ("report", str(REPORT)), ("bundle", str(BUNDLE))]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}".rstrip() for name, value in rows]
    commands = _next_commands()
    width = max(len(command) for command, _ in commands)
    return "\n".join(["", *lines, "", "next", *(f"  {command:<{width}}  # {why}" for command, why in commands)])


def _costs(stage: str) -> str:
    """Seconds, seconds of all cores, and the memory at its largest, of one stage."""
    costs = read_json(TIMINGS / f"{stage}.json")
    seconds = _seconds(float(costs["seconds"]))
    if "cpu_seconds" not in costs:  # written by an earlier version
        return seconds
    return f"{seconds}  {float(costs['cpu_seconds']):8.1f} s of CPU  {float(costs['peak_memory']) / 1e9:5.1f} GB"


def _seconds(value: float) -> str:
    return f"{value:8.1f} s"


def tool(name: str) -> str:
    """How to type a command of this environment from here, whether or not the environment is activated."""
    path = Path(sys.executable).with_name(name)
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def _next_commands() -> list[tuple[str, str]]:
    """Commands worth typing, and what for."""
    committed, repository = (
        shutil.which("git") and subprocess.run(["git", *ask], capture_output=True, check=False).returncode == 0
        for ask in (("cat-file", "-e", "HEAD:dvc.lock"), ("rev-parse", "--git-dir"))
    )
    compare = [
        (f"{tool('dvc')} metrics diff", "against the last commit"),
        (f"{tool('python')} -m darkroom.diff HEAD workspace", "what changed in the data"),
    ]
    keep = [("git add dvc.lock params.yaml && git commit", "keep this version, so that later ones can be compared")]
    return [
        (f"{tool('python')} -m darkroom.predict {BUNDLE} IMAGE…", "ask the bundle about images of yours"),
        (f"{tool('dvc')} plots show", "curves and confusion matrix, as a page"),
        *(compare if committed else keep if repository else ()),
        ("make flow", "the same line as a Prefect flow"),
    ]
