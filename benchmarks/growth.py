"""How the cost of the line up to `preprocess` grows with the images, and what 1% more of them cost.

Makes, for each number of images, a folder and a zip of small JPEGs of 10 classes in a temporary folder, and runs `dvc repro
preprocess` in a fresh copy of the repository: from nothing; with nothing to do; and with 1% more images, which come as the next
ones of each class do, so in 10 places. Measures CPU seconds of each stage and of DVC beside them (all but the stages), wall
seconds, memory of the largest process, bytes kept on disk (hard links counted once), files under data/ that were written
again, and images that were opened again. Then the ratios between sizes, and between all and 1% more. With --check also whether
the grown data is byte for byte that of a run from nothing, and whether an image moved. All is deleted at the end.

    python -m benchmarks.growth --images 10000 100000 --forms folder zip
"""

import argparse
import hashlib
import json
import os
import re
import shutil
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
CLASSES, SIDE, PIECE, SHARE = 10, 32, 10_000, 0.01
# How many images the stages opened, by their own words.
OPENED = re.compile(r"^ingest: .*; ([\d,]+) of them were read|^preprocess: .*, ([\d,]+) of them decoded", re.MULTILINE)
FULL, NOTHING, MORE = "from nothing", "nothing to do", "1% more"


@dataclass(frozen=True)
class State:
    """What a run came to.

    Attributes:
        ran: the whole command.
        cpu: CPU seconds of each stage that ran.
        peak: bytes of memory of the largest stage.
        opened: images that ingest and preprocess opened.
        written: files under data/ that were not there before, and all of them.
        kept: bytes on disk under data/, .darkroom/ and DVC's cache.
    """

    ran: Ran
    cpu: dict[str, float]
    peak: int
    opened: int
    written: tuple[int, int]
    kept: int

    @property
    def dvc(self) -> float:
        """CPU seconds of all but the stages."""
        return self.ran.cpu_seconds - sum(self.cpu.values())


def make_pictures(start: int, end: int) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of JPEGs `start` to `end`, each with other pixels."""
    for piece in range(start - start % PIECE, end, PIECE):
        coarse = np.random.default_rng(piece).integers(0, 256, (PIECE, 8, 8, 3), dtype=np.uint8)
        for index in range(max(start, piece), min(end, piece + PIECE)):
            pixels = coarse[index - piece].repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)
            data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=85)
            yield f"class-{index % CLASSES}/{index:08}.jpg", data


def write_source(place: Path, start: int, end: int) -> None:
    """Write pictures into a folder or a zip, beside those that are there."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "a") as archive:
            for name, data in make_pictures(start, end):
                archive.writestr(zipfile.ZipInfo(name, STAMP), data)
        return
    for name, data in make_pictures(start, end):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)


def bring_up_to_date(repository: Path) -> State:
    """Run the line up to `preprocess`, and look at what it made."""
    before = {(status.st_ino, status.st_mtime_ns) for status in _files(repository / "data").values()}
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
        max(cost["peak_memory"] for cost in costs.values()),
        sum(int((one or other).replace(",", "")) for one, other in OPENED.findall(ran.printed)),
        (written, len(now)),
        sum(blocks.values()),
    )


def _files(folder: Path) -> dict[str, os.stat_result]:
    return {str(path): path.stat() for path in folder.rglob("*") if path.is_file()}


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file, by path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".gitignore")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _splits(repository: Path) -> dict[str, str]:
    table = pq.read_table(repository / "data/split/splits.parquet", columns=["id", "split"])
    return dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))


def measure(form: str, count: int, home: Path, check: bool) -> dict[str, State]:
    """The three runs over one source."""
    place = home / ("source.zip" if form == "zip" else "source")
    if form == "folder":
        place.mkdir()
    write_source(place, 0, count)
    settings = source_settings(place, place) | {"train.network": "small_image_net"}
    copy_repository(home / "grows", settings)
    states = {FULL: bring_up_to_date(home / "grows"), NOTHING: bring_up_to_date(home / "grows")}
    before = _splits(home / "grows") if check else {}
    write_source(place, count, count + round(SHARE * count))
    states[MORE] = bring_up_to_date(home / "grows")
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
    rows = [
        (name, *(f"{state.cpu[name]:.1f}" if name in state.cpu else "" for state in states.values())) for name in STAGES
    ]
    rows += [
        ("DVC", *(f"{state.dvc:.1f}" for state in states.values())),
        ("all, CPU s", *(f"{state.ran.cpu_seconds:.1f}" for state in states.values())),
        ("all, wall s", *(f"{state.ran.seconds:.1f}" for state in states.values())),
        ("largest stage, MiB", *(f"{state.peak / 2**20:,.0f}" for state in states.values())),
        ("images opened, by ingest and preprocess", *(f"{state.opened:,}" for state in states.values())),
        ("files under data/ written", *("{:,} of {:,}".format(*state.written) for state in states.values())),
        ("kept on disk, bytes an image", *(f"{state.kept / count:,.0f}" for state in states.values())),
    ]
    print_table((f"{form}, {count:,} images", *states), rows)


def print_ratios(found: dict[tuple[str, int], dict[str, State]]) -> None:
    """What a larger source costs beside the next smaller one, and 1% more beside all."""
    rows = []
    for (form, count), states in found.items():
        smaller = [size for kind, size in found if kind == form and size < count]
        cells = ["", "", ""]
        if smaller:
            less = found[form, max(smaller)]
            cells = [
                f"{states[FULL].ran.cpu_seconds / less[FULL].ran.cpu_seconds:.2f}",
                f"{states[FULL].peak / less[FULL].peak:.2f}",
                f"{states[NOTHING].ran.cpu_seconds / less[NOTHING].ran.cpu_seconds:.2f}",
            ]
        full, more, nothing = (states[name].ran.cpu_seconds for name in (FULL, MORE, NOTHING))
        cells += [f"{full / more:.1f}", f"{(full - nothing) / max(more - nothing, 0.01):.1f}"]
        rows.append((f"{form}, {count:,}", *cells))
    header = (
        "beside the next smaller",
        "CPU",
        "memory",
        "nothing to do",
        "full / 1% more",
        "both without nothing to do",
    )
    print_table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--images", nargs="+", type=int, default=[10_000, 100_000], metavar="N")
    parser.add_argument("--forms", nargs="+", choices=("folder", "zip"), default=["folder", "zip"])
    parser.add_argument("--check", action="store_true", help="also compare with a run from nothing")
    chosen = parser.parse_args()
    found = {}
    for form in chosen.forms:
        for count in chosen.images:
            with temporary_home() as home:
                found[form, count] = measure(form, count, home, chosen.check)
            print_costs(form, count, found[form, count])
    print_ratios(found)


if __name__ == "__main__":
    main()
