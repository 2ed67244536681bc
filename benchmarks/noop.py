"""What it costs to find out that nothing changed: `dvc repro` of our line up to ingest, beside a folder that DVC tracks.

Measures, for each number of images: seconds (median of 5, in turns) of a `dvc repro ingest` that finds nothing to do, process
start included, where the source is a folder of small JPEGs, a zip of them, and a Parquet table that holds them; of a `dvc
repro` in a repository whose one stage depends on the same folder; and, as the floor, of walking the folder and asking the
times of each file. The images are made here, in a temporary folder. Few images show what starting DVC and Python costs.

    python -m benchmarks.noop --images 100 10000 60000
"""

import argparse
import functools
import os
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from benchmarks.pictures import write_zip
from benchmarks.repository import copy_repository, make_git, run, source_settings, temporary_home
from benchmarks.rounds import in_turns, print_table, timed

ROUNDS, CLASSES, SIDE, ROW_GROUP = 5, 10, 32, 1_000
FLOOR, TRACKED = "floor: os.walk and stat", "DVC, the folder as a dependency"
PIPELINE = (
    "stages:\n  look:\n    cmd: echo looked > looked.txt\n    deps:\n      - images\n    outs:\n      - looked.txt\n"
)
# As in our own `.dvc/config`.
CONFIG = "[core]\n    analytics = false\n    check_update = false\n"


def make_pictures(count: int) -> dict[str, bytes]:
    """Small JPEGs in class folders, each with other bytes, by path."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return {
        f"class-{index % CLASSES}/{index:06}.jpg": simplejpeg.encode_jpeg(
            np.ascontiguousarray(picture.repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)), quality=85
        )
        for index, picture in enumerate(coarse)
    }


def write_folder(pictures: dict[str, bytes], folder: Path) -> None:
    """As files."""
    for name, data in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def write_table(pictures: dict[str, bytes], path: Path) -> None:
    """As a table in the manner of Hugging Face's data sets."""
    images = [{"bytes": data, "path": name} for name, data in pictures.items()]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(images, kind), "label": [name.partition("/")[0] for name in pictures]})
    pq.write_table(table, path, row_group_size=ROW_GROUP)


def walk(folder: Path) -> None:
    """Ask the file system once for the times of each file."""
    for place, _, names in os.walk(folder):
        for name in names:
            os.stat(f"{place}/{name}")  # noqa: PTH116 (a Path for each file would be slower than the floor)


def ours(home: Path, source: Path, name: str) -> Callable[[], None]:
    """A copy of the repository that has taken in the source, and what finds that nothing changed."""
    repository = home / name
    copy_repository(repository, source_settings(source, source), ("survey", "ingest"))
    run(repository, "dvc", "repro", "ingest")

    def look() -> None:
        printed = run(repository, "dvc", "repro", "ingest").printed
        if "Running stage 'ingest'" in printed or "Running stage 'survey'" not in printed:
            raise SystemExit(f"error: that was no look that finds nothing to do:\n{printed}")

    return look


def tracked(repository: Path) -> Callable[[], None]:
    """A repository whose stage depends on the folder `images` in it."""
    (repository / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    (repository / ".gitignore").write_text("/images\n", encoding="utf-8")
    (repository / ".dvc").mkdir()
    (repository / ".dvc/config").write_text(CONFIG, encoding="utf-8")
    make_git(repository)
    run(repository, "dvc", "repro")

    def look() -> None:
        printed = run(repository, "dvc", "repro").printed
        if "Running stage" in printed:
            raise SystemExit(f"error: that was no look that finds nothing to do:\n{printed}")

    return look


def measure(count: int, home: Path) -> dict[str, float]:
    """Median seconds of each contestant."""
    pictures = make_pictures(count)
    folder = home / "tracked" / "images"
    write_folder(pictures, folder)
    write_zip(pictures, home / "images.zip")
    write_table(pictures, home / "images.parquet")
    contestants = {
        FLOOR: timed(functools.partial(walk, folder)),
        TRACKED: timed(tracked(folder.parent)),
        "ours, the folder": timed(ours(home, folder, "folder")),
        "ours, a zip": timed(ours(home, home / "images.zip", "zip")),
        "ours, a Parquet table": timed(ours(home, home / "images.parquet", "table")),
    }
    return {name: statistics.median(seconds) for name, seconds in in_turns(contestants, ROUNDS).items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noop", description=__doc__)
    parser.add_argument("--images", nargs="+", type=int, default=[100, 10_000, 60_000], metavar="N")
    columns = {}
    for count in parser.parse_args().images:
        with temporary_home() as home:
            columns[f"{count:,} images"] = measure(count, home)
    rows = []
    for name in next(iter(columns.values())):
        cells = []
        for found in columns.values():
            beside = f"  ({found[TRACKED] / found[name]:.2f}x as fast as DVC)" if name.startswith("ours") else ""
            cells.append(f"{found[name]:.2f} s{beside}")
        rows.append((name, *cells))
    print_table(("nothing to do", *columns), rows)


if __name__ == "__main__":
    main()
