"""The second look of ingest at files that hold other than 8 bits a value: the rule for all of them, and measures by it."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from darkroom.images.cache import FACTS
from darkroom.images.decode import decode
from darkroom.images.depth import PLAUSIBLE
from darkroom.images.depth_choice import KindFound, choose_depth, describe_depth
from darkroom.images.measure import MEASURED_SIDE, measure
from darkroom.images.shards import Place, read_shards
from darkroom.model.depth import Depth
from darkroom.runtime.arrays import Int64s
from darkroom.runtime.threads import in_order

# Of each kind, where there is no rule for all of them.
FILES_NAMED = 5


def measure_deep(
    facts: pa.Table,
    rows: Int64s,
    paths: Sequence[str],
    places: dict[int, Place],
    shards: Path,
    decoder: str,
    setting: str,
    previous: Depth | None,
) -> tuple[pa.Table, Depth | None]:
    """Choose the rule for files that hold other than 8 bits a value, and measure them by it. Without such files it is free.

    Args:
        facts: the columns of `FACTS`.
        rows: the row of each accepted image, int64 [N].
        paths: of each accepted image.
        places: row → where the bytes of its first image are.
        shards: the folder with all of them.
        decoder: as in `darkroom.images.decode.decode`.
        setting: `ingest.depth`.
        previous: the rule by which known files were measured.

    Returns:
        The facts with the measures of these files, and the rule; None where all files have 8 bits.

    Raises:
        DarkroomError: when there is no rule for all of them.
    """
    kinds: list[str | None] = facts["kind"].to_pylist()
    found = list(_find_kinds(facts, rows, paths, kinds))
    of_eight = (path for row, path in zip(rows.tolist(), paths, strict=True) if found and not kinds[row])
    depth = choose_depth(setting, found, len(rows), heapq.nsmallest(FILES_NAMED, of_eight))
    if depth is None:
        return facts, None
    for line in describe_depth(depth, found, len(rows)):
        print(f"ingest: {line}")
    measured: list[float | None] = facts["brightness"].to_pylist()
    fresh = [row for row in places if kinds[row] and (measured[row] is None or depth != previous)]
    contents = read_shards(shards, (places[row] for row in fresh))

    def measure_one(data: bytes) -> dict[str, object]:
        return measure(decode(data, decoder, least_side=MEASURED_SIDE, grey=True, depth=depth))

    bar = tqdm(in_order(measure_one, contents, len), "ingest depth", len(fresh), unit="image", disable=None)
    results = dict(zip(fresh, bar, strict=True))
    # Those that a reviewer removed are measured when they come back, not by the rule of an earlier run.
    removed = [row for row, kind in enumerate(kinds) if kind and row not in places]
    for name in next(iter(results.values()), {}):
        column = facts[name].to_pylist()
        for row in removed if name == "brightness" else ():
            column[row] = None
        for row, result in results.items():
            column[row] = result[name]
        facts = facts.set_column(
            facts.column_names.index(name), FACTS.field(name), pa.array(column, FACTS.field(name).type)
        )
    return facts, depth


def _find_kinds(facts: pa.Table, rows: Int64s, paths: Sequence[str], kinds: list[str | None]) -> Iterator[KindFound]:
    """In the order of their names."""
    files = Counter(rows.tolist())
    for kind in sorted({kind for row in files if (kind := kinds[row])}):
        of_kind = np.array([row for row in files if kinds[row] == kind])
        low, high, declared_low, declared_high = (
            facts[name].take(of_kind).to_pylist() for name in ("low", "high", "declared_low", "declared_high")
        )
        declared = set(zip(declared_low, declared_high, strict=True))
        scale = declared.pop() if len(declared) == 1 else (None, None)
        spread = {row: high[n] - low[n] for n, row in enumerate(of_kind.tolist())}
        of_paths = ((-spread[row], path) for row, path in zip(rows.tolist(), paths, strict=True) if row in spread)
        dim = [row for row, top in zip(of_kind.tolist(), high, strict=True) if 0 < top <= max(high) * PLAUSIBLE]
        yield KindFound(
            kind,
            sum(files[row] for row in of_kind.tolist()),
            min(low),
            max(high),
            None if scale[0] is None or scale[1] is None else (scale[0], scale[1]),
            tuple(path for _, path in heapq.nsmallest(FILES_NAMED, of_paths)),
            sum(files[row] for row in dim) if min(low) >= 0 else 0,
        )
