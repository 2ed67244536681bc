"""Measures what each stage of the line costs: seconds, CPU seconds and peak memory, alone or beside busy processes.

    python -m benchmarks.stage_times sign-digits.zip --runs 3 --busy 4 --set "train.budget=2 export.tflite=false"

Each run is `make run` in a fresh copy of this repository with empty caches; the figures are medians, and are what the stages
themselves write to reports/timings/: from the start of each process, imports included, with the processes that it starts. `DVC`
is the rest of the run: DVC's own work, and the ends of processes. A busy process computes without a pause, on one core.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.repository import ROOT, copy_repository, run, source_settings, temporary_home
from darkroom.runtime.cores import usable_cores
from darkroom.runtime.environment import set_default
from darkroom.runtime.files import read_json
from flows.dvc import stages_in_order

BUSY = "while True: sum(range(10_000))"
# Seconds, CPU seconds, and gigabytes of memory at the most.
Costs = tuple[float, float, float]


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes beside us, each of which keeps a core at work."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def run_line(folder: Path, images: Path, settings: str) -> dict[str, Costs]:
    """Run the line in a fresh copy.

    Args:
        folder: to make.
        images: an archive, a table or a folder.
        settings: as `make run` takes them with `SET`.

    Returns:
        The costs of each stage, of `DVC` and of `all`; DVC's own memory is not known, and counts as 0.
    """
    copy_repository(folder, source_settings(images, images))
    ran = run(folder, "flows.run", "--set", settings)
    found: dict[str, Costs] = {}
    for name in stages_in_order():
        costs = read_json(folder / f"reports/timings/{name}.json")
        found[name] = costs["seconds"], costs["cpu_seconds"], costs["peak_memory"] / 1e9
    seconds, cpu = (sum(costs[column] for costs in found.values()) for column in (0, 1))
    found["DVC"] = ran.seconds - seconds, ran.cpu_seconds - cpu, 0.0
    found["all"] = ran.seconds, ran.cpu_seconds, ran.peak / 1e9
    return found


def table(runs: list[dict[str, Costs]]) -> str:
    """A row for each stage, with the medians over the runs."""
    lines = ["| stage | s | CPU s | peak GB |", "|---|---|---|---|"]
    for name in runs[0]:
        seconds, cpu, memory = (statistics.median(costs[name][column] for costs in runs) for column in range(3))
        lines.append(f"| {name} | {seconds:.1f} | {cpu:.1f} | {f'{memory:.2f}' if memory else ''} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="an archive, a table or a folder of images")
    parser.add_argument("--runs", type=int, default=3, help="of the whole line, each from nothing")
    parser.add_argument("--busy", type=int, default=0, help="processes beside it that compute without a pause")
    parser.add_argument("--set", default="", metavar="SETTINGS", help='"section.key=value …"')
    arguments = parser.parse_args()
    set_default("VENV_TFLITE", str(ROOT / ".venv-tflite"))
    runs = []
    with temporary_home() as home, busy_processes(arguments.busy):
        for number in range(arguments.runs):
            with tempfile.TemporaryDirectory(dir=home) as folder:
                (Path(folder) / "line").mkdir()
                runs.append(run_line(Path(folder) / "line", arguments.images.resolve(), arguments.set))
            print(f"run {number + 1}: {runs[-1]['all'][0]:.1f} s", flush=True)
    print(f"\n{usable_cores()} cores, {arguments.busy} busy processes beside the line\n\n{table(runs)}")


if __name__ == "__main__":
    main()
