"""How the cost of the line up to `preprocess` grows with the images, and what 1% more of them cost.

Makes, for each number of images, a folder and a zip of small JPEGs of 10 classes in a temporary folder, and runs `dvc repro
preprocess` in a fresh copy of the repository: from nothing; with nothing to do; with 1% more images in one place of the sorted
list, a new folder with folders of the same classes; and with 1% more in ten places, as the next ones of each class. Measures
CPU seconds and memory of each stage, CPU seconds of DVC beside them (all but the stages), wall seconds, bytes kept on disk
(hard links counted once), ranges and files under data/ that were written again, and images that were opened again. Then the
ratios between sizes, and between all and 1% more, beside what they should be. With --check also whether the grown data is
byte for byte that of a run from nothing, and whether an image moved. All is deleted at the end. A million images in a folder
need 22 GB of disk.

    python -m benchmarks.growth --images 10000 100000 1000000 --forms folder zip
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import simplejpeg

from benchmarks.pictures import STAMP
from benchmarks.repository import Ran, copy_repository, run, source_settings, temporary_home
from benchmarks.rounds import print_table

STAGES = ("survey", "code", "ingest", "validate", "split", "select", "preprocess")
SPLITS = ("train", "validation", "test")
CLASSES, SIDE, PIECE, SHARE = 10, 32, 10_000, 0.01
# How many images the stages opened, by their own words.
OPENED = re.compile(r"^ingest: .*; ([\d,]+) of them were read|^preprocess: .*, ([\d,]+) of them decoded", re.MULTILINE)
FULL, NOTHING, ONE, TEN = "from nothing", "nothing to do", "1% more in one place", "1% more in ten places"
# Disk for the source and all that is kept of it, bytes; a file of the source takes a block of 4 KiB.
ROOM_FOR_AN_IMAGE = 22_000
# What lists its ranges, each with the hash of what it made.
RECEIPTS = ("survey/receipt.json", "ingest/receipt.json", *(f"preprocess/{split}/receipt.json" for split in SPLITS))


@dataclass(frozen=True)
class State:
    """What a run came to.

    Attributes:
        ran: the whole command.
        cpu: CPU seconds of each stage that ran.
        peaks: bytes of memory of each stage that ran.
        opened: images that ingest and preprocess opened.
        ranges: of survey, ingest and preprocess, that are other ones than before, and all of them.
        written: files under data/ that were not there before, and all of them.
        kept: bytes on disk under data/, .darkroom/ and DVC's cache.
    """

    ran: Ran
    cpu: dict[str, float]
    peaks: dict[str, int]
    opened: int
    ranges: tuple[int, int]
    written: tuple[int, int]
    kept: int

    @property
    def peak(self) -> int:
        """Bytes of memory of the largest stage."""
        return max(self.peaks.values())

    @property
    def dvc(self) -> float:
        """CPU seconds of all but the stages."""
        return self.ran.cpu_seconds - sum(self.cpu.values())


def make_pictures(start: int, end: int, folder: str) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of JPEGs `start` to `end`, each with other pixels, in class folders of a folder."""
    for piece in range(start - start % PIECE, end, PIECE):
        coarse = np.random.default_rng(piece).integers(0, 256, (PIECE, 8, 8, 3), dtype=np.uint8)
        for index in range(max(start, piece), min(end, piece + PIECE)):
            pixels = coarse[index - piece].repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)
            data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=85)
            yield f"{folder}/class-{index % CLASSES}/{index:08}.jpg", data


def write_source(place: Path, start: int, end: int, folder: str) -> None:
    """Write pictures into a folder or a zip, beside those that are there."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "a") as archive:
            for name, data in make_pictures(start, end, folder):
                archive.writestr(zipfile.ZipInfo(name, STAMP), data)
        return
    for name, data in make_pictures(start, end, folder):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)


def bring_up_to_date(repository: Path) -> State:
    """Run the line up to `preprocess`, and look at what it made."""
    before = {(status.st_ino, status.st_mtime_ns) for status in _files(repository / "data").values()}
    ranges = _ranges(repository / "data")
    ran = run(repository, "dvc", "repro", "preprocess")
    timings = repository / "reports" / "timings"
    costs = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in timings.glob("*.json")}
    shutil.rmtree(timings)
    costs = {name: cost for name, cost in costs.items() if name in STAGES}
    now = _files(repository / "data").values()
    written = sum((status.st_ino, status.st_mtime_ns) not in before for status in now)
    blocks = {
        status.st_ino: status.st_blocks * 512
        for folder in ("data", ".darkroom", ".dvc/cache")
        for status in _files(repository / folder).values()
    }
    return State(
        ran,
        {name: cost["cpu_seconds"] for name, cost in costs.items()},
        {name: cost["peak_memory"] for name, cost in costs.items()},
        sum(int((one or other).replace(",", "")) for one, other in OPENED.findall(ran.printed)),
        (len((others := _ranges(repository / "data")) - ranges), len(others)),
        (written, len(now)),
        sum(blocks.values()),
    )


def _files(folder: Path) -> dict[str, os.stat_result]:
    return {str(path): path.stat() for path in folder.rglob("*") if path.is_file()}


def _ranges(data: Path) -> set[tuple[str, str, str]]:
    """The ranges that the stages list: receipt, name, hash of what was made."""
    found = [
        (name, json.loads(file.read_text(encoding="utf-8"))) for name in RECEIPTS if (file := data / name).exists()
    ]
    return {(name, each["name"], each["sha256"]) for name, receipt in found for each in receipt["ranges"]}


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file, by path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".gitignore")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _splits(repository: Path) -> dict[str, str]:
    table = pq.read_table(repository / "data/split/splits.parquet", columns=["id", "split"])
    return dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))


def measure(form: str, count: int, home: Path, check: bool) -> dict[str, State]:
    """The four runs over one source."""
    place = home / ("source.zip" if form == "zip" else "source")
    if form == "folder":
        place.mkdir()
    # Two folders, since the name of a single one, which wraps everything, is no part of the paths.
    write_source(place, 0, count // 2, "first")
    write_source(place, count // 2, count, "second")
    # With the level set, since either folders could be the classes.
    settings: dict[str, str | int] = {
        **source_settings(place, place),
        "train.network": "small_image_net",
        "ingest.class_level": 2,
    }
    copy_repository(home / "grows", settings)
    states = {FULL: bring_up_to_date(home / "grows"), NOTHING: bring_up_to_date(home / "grows")}
    before = _splits(home / "grows") if check else {}
    more = round(SHARE * count)
    write_source(place, count, count + more, "third")
    states[ONE] = bring_up_to_date(home / "grows")
    write_source(place, count + more, count + 2 * more, "second")
    states[TEN] = bring_up_to_date(home / "grows")
    if check:
        copy_repository(home / "fresh", settings)
        bring_up_to_date(home / "fresh")
        grown, fresh = (_hashes(home / name / "data") for name in ("grows", "fresh"))
        others = sorted(name for name in grown.keys() | fresh.keys() if grown.get(name) != fresh.get(name))
        after = _splits(home / "grows")
        moved = sum(after.get(image) != split for image, split in before.items())
        print(f"{form}, {count:,} images: {moved:,} old images moved; data/ beside a run from nothing: ", end="")
        print(f"{len(others):,} other files, {', '.join(others[:5])}" if others else "equal", flush=True)
    return states


def print_costs(form: str, count: int, states: dict[str, State]) -> None:
    """One table: a row for each stage, a column for each run."""
    rows = [(name, *(_cost(state, name) for state in states.values())) for name in STAGES]
    rows += [
        ("DVC", *(f"{state.dvc:.1f} s" for state in states.values())),
        ("all, CPU", *(f"{state.ran.cpu_seconds:.1f} s" for state in states.values())),
        ("all, wall", *(f"{state.ran.seconds:.1f} s" for state in states.values())),
        ("images opened, by ingest and preprocess", *(f"{state.opened:,}" for state in states.values())),
        ("ranges written", *("{:,} of {:,}".format(*state.ranges) for state in states.values())),
        ("files under data/ written", *("{:,} of {:,}".format(*state.written) for state in states.values())),
        ("kept on disk, bytes an image", *(f"{state.kept / count:,.0f}" for state in states.values())),
    ]
    print_table((f"{form}, {count:,} images", *states), rows)


def _cost(state: State, stage: str) -> str:
    return f"{state.cpu[stage]:.1f} s, {state.peaks[stage] / 2**20:,.0f} MiB" if stage in state.cpu else ""


def print_ratios(found: dict[tuple[str, int], dict[str, State]]) -> None:
    """What a larger source costs beside the next smaller one, and 1% more beside all."""
    rows = []
    for (form, count), states in found.items():
        full, nothing = states[FULL], states[NOTHING]
        smaller = [size for kind, size in found if kind == form and size < count]
        cells = ["", "", ""]
        if smaller:
            less = found[form, max(smaller)]
            cells = [
                f"{full.ran.cpu_seconds / less[FULL].ran.cpu_seconds:.2f}",
                f"{full.peak / less[FULL].peak:.2f}",
                f"{nothing.ran.cpu_seconds / less[NOTHING].ran.cpu_seconds:.2f}",
            ]
        for name in (ONE, TEN):
            more, new = states[name], 2 * round(SHARE * count)
            cells += [
                f"{full.ran.cpu_seconds / more.ran.cpu_seconds:.1f}",
                f"{more.ranges[0] / max(more.ranges[1], 1):.0%}",
                f"{more.opened - new:,}",
            ]
        rows.append((f"{form}, {count:,}", *cells))
    rows.append(
        ("should be, for ten times the images", "≤ 10.5", "≤ 1.2", "≤ 1.2", "≥ 20", "≤ 3%", "0", "≥ 20", "", "0")
    )
    header = (
        "beside the next smaller",
        "CPU",
        "memory",
        "nothing to do",
        f"full / {ONE}",
        "ranges",
        "old opened",
        f"full / {TEN}",
        "ranges",
        "old opened",
    )
    print_table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--images", nargs="+", type=int, default=[10_000, 100_000], metavar="N")
    parser.add_argument("--forms", nargs="+", choices=("folder", "zip"), default=["folder", "zip"])
    parser.add_argument("--check", action="store_true", help="also compare with a run from nothing")
    chosen = parser.parse_args()
    scratch = tempfile.gettempdir()
    needed, free = ROOM_FOR_AN_IMAGE * max(chosen.images) / 1e9, shutil.disk_usage(scratch).free / 1e9
    if free < needed:
        raise SystemExit(
            f"error: {scratch} has {free:.0f} GB free, and {needed:.0f} are needed: set TMPDIR to another disk"
        )
    found = {}
    for form in chosen.forms:
        for count in chosen.images:
            with temporary_home() as home:
                found[form, count] = measure(form, count, home, chosen.check)
            print_costs(form, count, found[form, count])
    print_ratios(found)


if __name__ == "__main__":
    main()
