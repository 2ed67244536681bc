"""Tables of paths and labels that are damaged, careless or absurd: surveyed and ingested, with every row accounted for."""

import csv
import io
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.images import sound_images
from tests.fuzz.mutations import mutate_bytes
from tests.fuzz.outcome import Outcome, hashes, ingest_whole

# fmt: off
CELLS = [
    "", " ", "nan", "NaN", "null", "None", "0", "-1", "1.5", "1e400", "9" * 400, "a", "A", "a ", "\u200ba", "é", "e\u0301",
    "\x1b[2J",
    "\0", "\r", "\n", '"', "'", "=1+1", "+1", "../a/0.png", "/etc/passwd", "~/x.png", "http://x/y.png", "file:///a/0.png",
    "a/0.png", "a\\0.png", "a", ".", "/", "a/none.png", " a/1.png ", "a/1.png\t", "x" * 5000, "train", "test", "TRAIN", "dev",
    "2026", "2026-02-30", "20260531120000", "20260531.0", "46173", "1779000000", "1779000000000", "9999-12-31",
    "2026-05-31T12:00:00+99:00",
]
# fmt: on
HEADS = ("", "path", "label", "Path", "image", "\ufeffpath", "extra", "x" * 500)
COLUMNS = ("path", "label", "split", "group", "timestamp")


def _rows(random: Random) -> tuple[list[str], list[list[Any]]]:
    """The head and the rows: 12 sound ones, then some cells changed."""
    columns = list(COLUMNS[: random.choice((2, 2, 3, 4, 5))])
    rows: list[list[Any]] = []
    for number in range(12):
        sound = [
            f"{'ab'[number % 2]}/{number}.png",
            "ab"[number % 2],
            "train",
            f"g{number // 3}",
            f"2026-01-{number + 1:02}",
        ]
        rows.append(sound[: len(columns)])
    for _ in range(random.choice((0, 1, 1, 2))):
        rows[random.randrange(len(rows))][random.randrange(len(columns))] = random.choice(CELLS)
    if random.random() < 0.1:
        column, value = random.randrange(len(columns)), random.choice(CELLS)
        for row in rows:
            row[column] = value
    if random.random() < 0.1:
        columns[random.randrange(len(columns))] = random.choice(HEADS)
    return columns, rows


def make_csv(random: Random) -> bytes:
    """A CSV as some program may write it."""
    columns, rows = _rows(random)
    text = io.StringIO()
    delimiter = random.choice(",,,,,,,,,;\t|")
    ends = random.choice(("\n", "\r\n", "\r"))
    csv.writer(text, delimiter=delimiter, lineterminator=ends).writerows([columns, *rows])
    encoding = random.choice((*["utf-8"] * 9, "utf-8-sig", "utf-16", "latin-1", "cp1252"))
    return text.getvalue().encode(encoding, "replace")


def make_parquet(random: Random) -> bytes:
    """A Parquet table; some columns have another type than text."""
    columns, rows = _rows(random)
    odd = [None, 3, 2.5, float("nan"), True, b"\xff", [1], {"a": 1}]
    arrays = []
    for place in range(len(columns)):
        values = [row[place] for row in rows]
        if random.random() < 0.08:
            values = [random.choice(odd)] * len(rows)
        elif random.random() < 0.1:
            values[random.randrange(len(values))] = None
        array = pa.array(values)
        arrays.append(array.dictionary_encode() if random.random() < 0.1 and pa.types.is_string(array.type) else array)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, columns), buffer)
    return buffer.getvalue()


def fuzz_tables(count: int, seed: int, folder: Path) -> Outcome:
    """Survey and ingest so many tables, of which a third is damaged after it was made; arguments as `fuzz_images`."""
    found = Outcome()
    picture = sound_images()["L.png"]
    for number in range(12):
        path = folder / "data" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    for number in range(count):
        random = Random(f"{seed} {number}")
        data = (make_csv if number % 2 else make_parquet)(random)
        damaged = number % 6 > 3
        path = folder / "data" / f"table{number}{'.csv' if number % 2 else '.parquet'}"
        path.write_bytes(mutate_bytes(data, random) if damaged else data)
        before, counts = hashes(folder / "data"), list[int]()
        name = f"table {number}"
        if found.attempt(name, lambda: counts.extend(ingest_whole(path, folder / "root"))) and not damaged:  # noqa: B023
            found.require(name, sum(counts) >= 12, f"12 rows became {counts} (images, rejects, ignored)")
        found.require(name, hashes(folder / "data") == before, "a file of the source was changed")
        path.unlink()
    return found
