"""Taking in a data set and checking it: ours beside the passes that people write, and beside cleanvision.

Measures images a second from files in the page cache, interpreter and imports loaded, nothing known from an earlier run. Ours
is what the stages `survey`, `ingest` and `validate` do: list and hash the files, open each, measure it, keep its bytes in
shards, write the manifest, search near-copies, form groups, and find what breaks an expectation. Not in the figure, since the
peers have none of it: what Great Expectations takes to check the same and render its page, which is printed by itself, and
the pages with thumbnails. The peers, in a process of their own: imagehash's dhash, `Image.verify` and md5 in three passes on
one thread; cleanvision with its default checks, with its default number of processes and with one, of which the faster
counts. The ceiling is decoding every file at full size with libjpeg-turbo (simplejpeg) on all cores; ours may exceed it,
since it opens a JPEG at a reduced size where that is enough. Every contestant gets the same files in a temporary folder.

    python -m benchmarks.intake ZIP_OR_FOLDER... --peer-python PYTHON_WITH_PEERS
"""

import argparse
import functools
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pyarrow.parquet as pq
import simplejpeg

from benchmarks.intake_peers import CLEANVISION, CLEANVISION_ONE, THREE_PASSES
from benchmarks.peers import Peers
from benchmarks.pictures import lay_out_files
from benchmarks.repository import ROOT
from benchmarks.rounds import RATE_HEADER, Contestant, in_turns, print_table, rate_rows, timed
from darkroom.checks.checked_tables import tables_to_check
from darkroom.checks.expectations import expectations_of
from darkroom.checks.facts_of_copies import gather_with_copies
from darkroom.checks.summaries import summaries_of
from darkroom.checks.worker import check_all
from darkroom.model.classes import load_classes
from darkroom.runtime.cores import usable_cores
from darkroom.settings.read import read_params
from darkroom.sources.source import Location
from stages import ingest, survey

OURS, CEILING = "ours", "ceiling: libjpeg-turbo alone, full size, all cores"
NOT_COUNTED = "not counted: Great Expectations"
# Slow, and steady enough.
FEWER = {CLEANVISION: 3, CLEANVISION_ONE: 3}
BATCH = 16


class Ours:
    """The work of the first three stages, in one process, from nothing.

    Attributes:
        parts: seconds of each part, in the order of the rounds; the first is the round that does not count.
    """

    def __init__(self, source: Path, scratch: Path) -> None:
        self._source = source
        self._scratch = scratch
        self.parts: dict[str, list[float]] = defaultdict(list)
        settings = read_params(ROOT / "params.yaml")
        self._limits, self._rejects = settings.validate, settings.ingest.max_reject_fraction
        self._decoder = settings.ingest.decoder

    def __call__(self) -> float:
        with tempfile.TemporaryDirectory(dir=self._scratch) as name:
            home = Path(name)
            seen, surveyed, taken = home / "seen", home / "survey", home / "ingest"
            location = Location(self._source, None, 0)
            with self._part("survey: list and hash"):
                survey.run(source="folder", location=location, cache=seen, out=surveyed)
            with self._part("ingest: open, measure, shards, manifest"):
                ingest.run(
                    source="folder",
                    location=location,
                    decoder=self._decoder,
                    depth="auto",
                    max_reject_fraction=1,
                    survey=surveyed,
                    cache=seen,
                    out=taken,
                )
            with self._part("near-copies and groups"):
                rejects = pq.read_table(taken / "rejects.parquet")["path"].to_pylist()
                summaries, classes = summaries_of(taken, seen), load_classes(taken / "classes.json")
                facts, _ = gather_with_copies(summaries, classes, rejects, taken, "auto", self._decoder, seen)
            with self._part("checks on the manifest"):
                checks = expectations_of(facts, self._limits, self._rejects)
                tables = tables_to_check(checks, facts, taken)
            counted = sum(seconds[-1] for name, seconds in self.parts.items() if name != NOT_COUNTED)
            with self._part(NOT_COUNTED):
                check_all(checks, tables)
        return counted

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        with Path(os.devnull).open("w", encoding="utf-8") as nothing, redirect_stdout(nothing):
            yield
        self.parts[name].append(time.perf_counter() - start)


def decode_all(files: list[Path]) -> None:
    """Decode every file at full size, on all cores."""

    def few(batch: list[Path]) -> None:
        for file in batch:
            simplejpeg.decode_jpeg(file.read_bytes())

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(few, [files[start : start + BATCH] for start in range(0, len(files), BATCH)]))


def measure(source: Path, python: str, rounds: int) -> None:
    """Print the tables for one source."""
    with tempfile.TemporaryDirectory() as name:
        folder, scratch = Path(name) / "images", Path(name) / "scratch"
        scratch.mkdir()
        files = lay_out_files(source, folder)
        if any(file.read_bytes()[:3] != b"\xff\xd8\xff" for file in files):
            raise SystemExit(f"error: {source} holds other files than JPEG, of which the ceiling knows nothing")
        ours = Ours(folder, scratch)
        with Peers(python, "benchmarks.intake_peers", str(folder)) as peers:
            contestants: dict[str, Contestant] = {OURS: ours, CEILING: timed(functools.partial(decode_all, files))}
            contestants |= {name: peers.contestant(name) for name in (THREE_PASSES, CLEANVISION, CLEANVISION_ONE)}
            print(f"{source.name}: {len(files):,} images; {peers.versions}; {usable_cores()} cores\n")
            seconds = in_turns(contestants, rounds, FEWER)
    print_table(RATE_HEADER, rate_rows(seconds, len(files), OURS, CEILING))
    rows = []
    for part, taken in ours.parts.items():
        median = statistics.median(taken[1:])
        rows.append((part, f"{median:.3f} s", f"{median / len(files) * 1e6:,.0f} µs"))
    print_table(("ours, by part", "median", "an image"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intake", description=__doc__)
    parser.add_argument("sources", nargs="+", type=Path, metavar="ZIP_OR_FOLDER")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has the peers (this one)")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    for source in chosen.sources:
        measure(source, chosen.peer_python, chosen.rounds)


if __name__ == "__main__":
    main()
