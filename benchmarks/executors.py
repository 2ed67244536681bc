"""Whether the line gives the same bytes whatever works on its ranges, with how many workers, and where one is killed.

Makes small JPEGs in class folders, some of them twice, and runs the stages up to `preprocess` over them in fresh copies of the
repository, in ranges of some two hundred images: for each executor and number of workers once as it is, and once with one
worker killed (`kill -9`) in each stage that uses them, amid its work; of `threads` the worker is the whole process, which is
started again. Measures one SHA-256 over all of data/ for each, and prints how many different ones there are. With --beside
COMMIT also runs the code of that commit, with its own layout, and compares id, label, group and split of every image.

    python -m benchmarks.executors --images 3000 --workers 1 2 8 --beside 624dcf1
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.growth import CLASSES, write_source
from benchmarks.repository import ROOT, copy_repository, source_settings, temporary_home
from benchmarks.rounds import print_table
from darkroom.images.manifest import read_parts

EXECUTORS = ("threads", "dask", "ray")
STAGES = ("survey", "ingest", "validate", "split", "select", "preprocess")
SETTINGS = {"train.network": "small_image_net"}
COMPARED = ["id", "sha256", "path", "label", "source_split", "width", "height", "mode", "bytes"]
# What a copy of the repository runs. Workers import it, too, so that one of them can kill itself at the first task of each
# kind, a moment after it began: amid it, or when it is done and before it says so.
PROGRAM = """
import importlib, os, signal, sys, threading, time
from pathlib import Path

MARKS = Path("killed")


def kills_once(given):
    work, marks, task = given
    try:
        os.close(os.open(marks / work.__name__, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return work(task)
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
    work(task)
    time.sleep(60)


if __name__ == "__main__":
    from in_ranges import kills_once

    window, kills, stages = int(sys.argv[1]), sys.argv[2] == "kills", sys.argv[3:]
    if window:
        from darkroom.runtime import cuts, executor

        cuts.WINDOW = window
        if kills:
            MARKS.mkdir(exist_ok=True)
            for name, each in list(executor.EXECUTORS.items()):
                executor.EXECUTORS[name] = lambda work, tasks, each=each: each(
                    kills_once, [(work, MARKS.resolve(), task) for task in tasks]
                )
    for stage in stages:
        importlib.import_module(f"stages.{stage}").main()
"""


def run_line(folder: Path, window: int, kills: bool, environment: dict[str, str]) -> int:
    """Run the stages in a copy of the repository; how often their process was killed and started again.

    Raises:
        SystemExit: with what it printed, when it fails.
    """
    (folder / "in_ranges.py").write_text(PROGRAM)
    command = [sys.executable, "in_ranges.py", str(window), "kills" if kills else "-", *STAGES]
    paths = os.environ | environment | {"PYTHONPATH": str(folder)}
    for killed in range(len(STAGES)):
        done = subprocess.run(command, cwd=folder, env=paths, capture_output=True, text=True)
        if done.returncode == 0:
            return killed
        if not kills or done.returncode != -9:
            break
    raise SystemExit(f"error: {' '.join(command)} in {folder} failed:\n{done.stdout}{done.stderr}")


def digest(folder: Path) -> str:
    """SHA-256 over the name and the bytes of every file."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def rows_of(folder: Path) -> pa.Table:
    """What must be equal under any layout: a row for each image, sorted by path."""
    manifest = read_parts(list((folder / "ingest/manifest").glob("*.parquet")), COMPARED)
    groups = pq.read_table(folder / "validate/groups.parquet")
    splits = pq.read_table(folder / "split/splits.parquet")
    if not manifest["id"].equals(groups["id"]) or not manifest["id"].equals(splits["id"]):
        raise SystemExit(f"error: the tables in {folder} are of other images")
    for name, column in (("group", groups["group"]), ("split", splits["split"]), ("split group", splits["group"])):
        manifest = manifest.append_column(name, column)
    return manifest


def make_source(place: Path, images: int) -> None:
    """Class folders of small JPEGs; each 50th is there twice, under another name."""
    write_source(place.parent, 0, images, place.name)
    for number in range(0, images, 50):
        file = place / f"class-{number % CLASSES}" / f"{number:08}.jpg"
        file.with_stem(f"{number:08} copy").write_bytes(file.read_bytes())


def compare_commit(commit: str, home: Path, settings: dict[str, str], ours: Path) -> None:
    """Run the code of a commit over the same source, and print whether all images have what they have here."""
    theirs = home / "beside"
    theirs.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=theirs, input=archive, check=True)
    params = (ours.parent / "params.yaml").read_bytes()
    (theirs / "params.yaml").write_bytes(params)
    run_line(theirs, 0, False, {})
    rows = rows_of(ours)
    equal = "equal" if rows_of(theirs / "data").equals(rows) else "NOT EQUAL"
    print(f"{len(rows):,} images beside {commit}: {', '.join(rows.column_names)}: {equal}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.executors", description=__doc__)
    parser.add_argument("--images", type=int, default=3_000, metavar="N")
    parser.add_argument("--window", type=int, default=100, help="a range has twice as many images, on average")
    parser.add_argument("--executors", nargs="+", choices=EXECUTORS, default=list(EXECUTORS))
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 8], metavar="N")
    parser.add_argument("--beside", metavar="COMMIT", help="compare with the code of this commit")
    chosen = parser.parse_args()
    with temporary_home() as home:
        source = home / "source"
        make_source(source, chosen.images)
        settings = source_settings(source, source) | SETTINGS
        copy_repository(home / "copy", settings)
        rows, found, folder = [], {}, home
        for executor in chosen.executors:
            for workers in chosen.workers:
                for kills in (False, True):
                    folder = home / f"{executor}-{workers}-{kills}"
                    shutil.copytree(home / "copy", folder)
                    started = time.monotonic()
                    environment = {"DARKROOM_EXECUTOR": executor, "DARKROOM_WORKERS": str(workers)}
                    again = run_line(folder, chosen.window, kills, environment)
                    seconds = time.monotonic() - started
                    killed = sorted(path.name for path in (folder / "killed").glob("*"))
                    found[folder.name] = digest(folder / "data")
                    rows.append(
                        (
                            executor,
                            str(workers),
                            ", ".join(killed),
                            str(again),
                            f"{seconds:.0f}",
                            found[folder.name][:16],
                        )
                    )
                    print("  ".join(rows[-1]), flush=True)
        print_table(("executor", "workers", "killed amid", "started again", "seconds", "SHA-256 of data/"), rows)
        print(f"{len(found)} runs, {len(set(found.values()))} different data/")
        if chosen.beside:
            compare_commit(chosen.beside, home, settings, folder / "data")
    if len(set(found.values())) > 1:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
