"""What 1% more images cost: the line up to `preprocess` from nothing, with more images, and from nothing with all of them.

Measures, for each pair of sources, in fresh copies of the repository with empty caches: seconds of each stage, process
start included, and of the whole `dvc repro preprocess`; memory of the largest process; the share of the bytes under
data/ingest/ that are in new or changed files; images that moved between splits; and whether the result is byte for byte that
of a run from nothing. Pairs of several sizes show how the cost grows. Sources are copied first; both of a pair stand in the
same place, one after the other, as a source that grows does. `benchmarks.make_growth` makes pairs.

    python -m benchmarks.growth BASE GROWN [BASE GROWN]...
"""

import argparse
import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.repository import Ran, copy_repository, run, source_settings, stage_seconds, temporary_home
from benchmarks.rounds import print_table

STAGES = ("survey", "ingest", "validate", "split", "select", "preprocess")
# What the stages say of the images that they did not have to open again.
TOLD = re.compile(r"^(?:survey|ingest|preprocess): .*(?:read|decoded|new or changed).*$", re.MULTILINE)


@dataclass(frozen=True)
class State:
    """What a run came to.

    Attributes:
        ran: the whole command.
        stages: seconds of each stage.
        files: SHA-256 and length of each file under data/, by path.
        splits: split of each image, by id.
    """

    ran: Ran
    stages: dict[str, float]
    files: dict[str, tuple[str, int]]
    splits: dict[str, str]

    @property
    def after_survey(self) -> float:
        """Seconds of ingest → preprocess."""
        return sum(seconds for name, seconds in self.stages.items() if name != "survey")

    @property
    def ingest_files(self) -> dict[str, tuple[str, int]]:
        return {name: told for name, told in self.files.items() if name.startswith("ingest/")}


def bring_up_to_date(folder: Path) -> State:
    """Run the line in a copy of the repository, and look at what it made."""
    ran = run(folder, "dvc", "repro", "preprocess")
    table = pq.read_table(folder / "data/split/splits.parquet", columns=["id", "split"])
    splits = dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))
    return State(ran, stage_seconds(folder), dict(_files(folder / "data")), splits)


def _files(folder: Path) -> Iterator[tuple[str, tuple[str, int]]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".gitignore":
            data = path.read_bytes()
            yield path.relative_to(folder).as_posix(), (hashlib.sha256(data).hexdigest(), len(data))


def put(source: Path, place: Path) -> None:
    """Make `place` a copy of the source, in place of what is there."""
    if place.is_dir():
        shutil.rmtree(place)
    if source.is_dir():
        # With their times, so that an image that was there before is the file that it was.
        shutil.copytree(source, place)
    else:
        shutil.copy2(source, place)


def measure(base: Path, grown: Path, home: Path) -> tuple[State, State, State]:
    """From nothing on the base; then with the grown source; from nothing on the grown source, in another copy."""
    place = home / f"source{base.suffix}"
    settings = source_settings(base, place)
    copy_repository(home / "grows", settings)
    copy_repository(home / "fresh", settings)
    put(base, place)
    first = bring_up_to_date(home / "grows")
    put(grown, place)
    return first, bring_up_to_date(home / "grows"), bring_up_to_date(home / "fresh")


def column(first: State, more: State, fresh: State) -> dict[str, str]:
    """The figures of one pair, by name."""
    told = {"images": f"{len(first.splits):,} + {len(more.splits) - len(first.splits):,}"}
    for name, state in (("base from nothing", first), ("with 1% more", more), ("all from nothing", fresh)):
        for stage in STAGES:
            told[f"{name}: {stage}"] = f"{state.stages[stage]:.1f} s" if stage in state.stages else "did not run"
        told[f"{name}: ingest to preprocess"] = f"{state.after_survey:.1f} s"
        told[f"{name}: dvc repro"] = f"{state.ran.seconds:.1f} s"
        told[f"{name}: largest process"] = f"{state.ran.peak / 2**20:,.0f} MiB"
    told["1% more, of all from nothing: stages"] = f"{more.after_survey / fresh.after_survey:.0%}"
    told["1% more, of all from nothing: dvc repro"] = f"{more.ran.seconds / fresh.ran.seconds:.0%}"
    changed = {name: told for name, told in more.ingest_files.items() if first.ingest_files.get(name) != told}
    size = sum(length for _, length in more.ingest_files.values())
    told["bytes of data/ingest new or changed"] = f"{sum(length for _, length in changed.values()) / size:.2%}"
    told["files of data/ingest new or changed"] = f"{len(changed):,} of {len(more.ingest_files):,}"
    moved = sum(more.splits.get(image) != split for image, split in first.splits.items())
    told["old images that moved or went"] = f"{moved:,}"
    others = differing(more, fresh)
    told["data/ equal to a run from nothing"] = f"no: {len(others):,} files" if others else "yes"
    return told


def differing(one: State, other: State) -> list[str]:
    """Files under data/ that are not the same in both."""
    return sorted(
        name for name in one.files.keys() | other.files.keys() if one.files.get(name) != other.files.get(name)
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("sources", nargs="+", type=Path, metavar="BASE GROWN")
    sources = parser.parse_args().sources
    if len(sources) % 2:
        parser.error("sources come in pairs: BASE GROWN")
    columns = {}
    for base, grown in zip(sources[::2], sources[1::2], strict=True):
        with temporary_home() as home:
            first, more, fresh = measure(base, grown, home)
        columns[base.name] = column(first, more, fresh)
        print(f"{base.name}, then {grown.name}: the second run said")
        print("".join(f"  {line}\n" for line in TOLD.findall(more.ran.printed)))
        for name in differing(more, fresh):
            print(f"  not as from nothing: data/{name}")
    names = list(next(iter(columns.values())))
    print_table(("", *columns), [(name, *(told[name] for told in columns.values())) for name in names])


if __name__ == "__main__":
    main()
