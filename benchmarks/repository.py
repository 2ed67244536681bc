"""Copies of this repository in temporary folders, and its commands run in them, with time and memory measured."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
KINDS = {".zip": "zip", ".tar": "tar", ".csv": "table", ".parquet": "table"}


@dataclass(frozen=True)
class Ran:
    """Attributes:
    seconds: wall time, from the start of the process to its end.
    cpu_seconds: of all cores, of the process and those that it started.
    peak: bytes of memory that the largest of all its processes held.
    printed: on stdout and stderr.
    """

    seconds: float
    cpu_seconds: float
    peak: int
    printed: str


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A temporary folder, with all that DVC keeps outside a repository inside it."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["DVC_SITE_CACHE_DIR"] = f"{name}/dvc"
        yield Path(name)


def run(folder: Path, *command: str) -> Ran:
    """Run a Python module in a folder, with this Python, as `dvc repro` is run.

    Raises:
        SystemExit: with what it printed, when it fails.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder, env=os.environ | {"PATH": path}, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        # The kernel knows the largest of a process and all its descendants, so nothing need be sampled meanwhile.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if process.returncode:
        raise SystemExit(f"error: {' '.join(command)} in {folder} failed:\n{printed}")
    return Ran(
        seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), printed
    )


def copy_repository(folder: Path, settings: Mapping[str, str | int], stages: tuple[str, ...] = ()) -> None:
    """Make a repository of what git does not ignore in the working tree, as a fresh clone with an empty cache.

    Args:
        folder: to make.
        settings: laid over `params.yaml`, `section.key` → value.
        stages: keep only these in `dvc.yaml`; all of them without.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in map(os.fsdecode, filter(None, listed.split(b"\0"))):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    for place, value in settings.items():
        section, _, key = place.partition(".")
        params[section][key] = value
    yaml.dump(params, folder / "params.yaml")
    if stages:
        pipeline = yaml.load(folder / "dvc.yaml")
        yaml.dump({"stages": {name: pipeline["stages"][name] for name in stages}}, folder / "dvc.yaml")
    make_git(folder)


def make_git(folder: Path) -> None:
    """A git repository with one commit of what is there."""
    name = ["-c", "user.name=Benchmark", "-c", "user.email=benchmark@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*name, "commit", "-q", "-m", "Copy"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def source_settings(source: Path, place: Path) -> dict[str, str]:
    """The settings that take in a source of this one's kind, which lies at `place`."""
    kind = "folder" if source.is_dir() else KINDS.get(source.suffix)
    if kind is None:
        raise SystemExit(f"error: {source} is neither a folder nor one of {', '.join(KINDS)}")
    return {"ingest.source": kind, "ingest.path": str(place)}


def stage_seconds(folder: Path, forget: bool = True) -> dict[str, float]:
    """Wall time of each stage that ran, process start included, as the stages themselves tell; then forgotten, if wanted."""
    timings = folder / "reports" / "timings"
    told = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in timings.glob("*.json")}
    if forget:
        shutil.rmtree(timings)
    # Other measured times lie beside them.
    return {name: times["seconds"] for name, times in told.items() if "seconds" in times}
