"""What is kept of a range of the manifest in place of its rows: a few numbers of each image, counts, and the extreme few."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.checks.distribution import counted
from darkroom.images.manifest import MANIFEST
from darkroom.images.pillow_decoder import is_grey
from darkroom.runtime.arrays import Int64s
from darkroom.runtime.columns import hex_digits, leading_bits

# What a source or a reviewer need not give; every other column of the manifest has a value in every row.
OPTIONAL = ("source_label", "source_split", "group", "timestamp")
MEASURED = ("brightness", "contrast", "sharpness")
# How many of an end are kept: enough to judge a limit by.
FEW = 6
# The ends that are looked at: a column of what is checked, and whether it is its least or its most.
ENDS = (
    ("brightness", True),
    ("brightness", False),
    ("contrast", True),
    ("sharpness", True),
    ("aspect_ratio", False),
    ("shorter_side", True),
    ("longer_side", False),
)

# A row for each image, in the order of the manifest.
IMAGES = pa.schema(
    [
        ("id", pa.uint64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("contrast", pa.float32()),
    ]
)
HASHES = pa.schema([("sha256", pa.binary(32))])
# A row for each distinct value of a measure, which is rounded to 5 digits; a table for each of `MEASURED`.
COUNTED = pa.schema([("value", pa.float64()), ("images", pa.int64())])
# A row for each size; `first` is the first row of the range that has it.
SIZES = pa.schema([("width", pa.int32()), ("height", pa.int32()), ("images", pa.int64()), ("first", pa.int64())])
# A row for each image with a group of the user's: the row, and the name that it gives a group.
GROUPS = pa.schema([("row", pa.int64()), ("name", pa.binary(32))])
FACTS = pa.schema([("json", pa.string())])


class Extreme(NamedTuple):
    """An image with a value that is looked at: its row, that value as number or text, its path."""

    row: int
    value: Any
    path: str


@dataclass(frozen=True)
class RangeFacts:
    """Counts and the extreme few of a range.

    Attributes:
        images: how many.
        gaps: columns that should have a value in each row, and have not; with one, nothing else is filled.
        last: the last path.
        labels: images of each label.
        kinds: format, mode and images of each pair of them.
        several: how many files hold several pictures, and the paths of the first of them.
        extremes: by column and `least` or `most`, the most extreme first; and by `grey` and `colour` the first images of each
            with their modes.
    """

    images: int
    gaps: list[str]
    last: str = ""
    labels: dict[str, int] | None = None
    kinds: list[tuple[str, str, int]] | None = None
    several: tuple[int, list[str]] = (0, [])
    extremes: dict[str, list[Extreme]] | None = None

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """From the table `facts`."""
        found = json.loads(table["json"][0].as_py())
        for name, each in (found["extremes"] or {}).items():
            found["extremes"][name] = [Extreme(*one) for one in each]
        return cls(**found)

    @property
    def table(self) -> pa.Table:
        return pa.table([pa.array([json.dumps(asdict(self))], pa.string())], schema=FACTS)


def end_name(column: str, is_minimum: bool) -> str:
    """The key of an end in `RangeFacts.extremes`."""
    return f"{column} {'least' if is_minimum else 'most'}"


def summarize(part: pa.Table) -> dict[str, pa.Table]:
    """Of a part of the manifest with all its columns: the tables `facts`, `images`, `hashes`, `sizes`, `groups`, and one for
    each of `MEASURED`; where a column has gaps, `facts` alone.
    """
    gaps = [name for name in MANIFEST.names if name not in OPTIONAL and has_gaps(part[name])]
    if gaps:
        return {"facts": RangeFacts(len(part), gaps).table}
    paths = part["path"]
    columns = {name: part[name].to_numpy() for name in ("width", "height", *MEASURED)}
    measures = {name: columns[name].astype(np.float64).round(5) for name in MEASURED}
    columns |= measures | sides(columns["width"], columns["height"])
    extremes = {
        end_name(column, is_minimum): [
            Extreme(row, columns[column][row].item(), paths[row].as_py())
            for row in extreme_rows(columns[column], is_minimum)
        ]
        for column, is_minimum in ENDS
    }
    modes = part["mode"].to_pylist()
    grey_modes = {mode for mode in set(modes) if is_grey(mode)}
    grey = np.array([mode in grey_modes for mode in modes])
    for name, rows in (("grey", np.flatnonzero(grey)), ("colour", np.flatnonzero(~grey))):
        extremes[name] = [Extreme(row, modes[row], paths[row].as_py()) for row in rows[:FEW].tolist()]
    several = np.flatnonzero(part["frames"].to_numpy() > 1)
    facts = RangeFacts(
        len(part),
        [],
        paths[-1].as_py(),
        dict(Counter(part["label"].to_pylist())),
        [(*kind, number) for kind, number in Counter(zip(part["format"].to_pylist(), modes, strict=True)).items()],
        (len(several), [paths[row].as_py() for row in several[:FEW].tolist()]),
        extremes,
    )
    images = [leading_bits(part["id"]), *(part[name] for name in IMAGES.names[1:])]
    return {
        "facts": facts.table,
        "images": pa.table(images, schema=IMAGES),
        "hashes": pa.table([whole_hashes(part["sha256"])], schema=HASHES),
        "sizes": _sizes(columns["width"], columns["height"]),
        "groups": _groups(part["group"]),
        **{name: pa.table(list(counted(values)), schema=COUNTED) for name, values in measures.items()},
    }


def has_gaps(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(column.is_null(nan_is_null=True)).as_py())


def sides(width: Any, height: Any) -> dict[str, Any]:
    """`shorter_side` and `longer_side` in pixels, and `aspect_ratio`, longer by shorter, of 3 digits; each [N]."""
    shorter, longer = np.minimum(width, height), np.maximum(width, height)
    return {"shorter_side": shorter, "longer_side": longer, "aspect_ratio": (longer / shorter).round(3)}


def extreme_rows(values: Any, is_minimum: bool) -> list[int]:
    """Rows of the least or the most of some values, the most extreme first, equal ones in their order."""
    rows: list[int] = np.argsort(values if is_minimum else -values, kind="stable")[:FEW].tolist()
    return rows


def whole_hashes(column: pa.ChunkedArray) -> pa.Array:
    """SHA-256 in hex as binary(32) [N]."""
    content = bytes.fromhex(hex_digits(column, 64).decode())
    return pa.Array.from_buffers(pa.binary(32), len(column), [None, pa.py_buffer(content)])


def _sizes(width: Int64s, height: Int64s) -> pa.Table:
    keys, first, counts = np.unique(width.astype(np.int64) << 32 | height, return_index=True, return_counts=True)
    return pa.table([width[first], height[first], counts, first], schema=SIZES) if len(keys) else SIZES.empty_table()


def _groups(column: pa.ChunkedArray) -> pa.Table:
    """A group is named by the SHA-256 of `group`, a zero byte and the user's name for it."""
    rows = np.flatnonzero(column.is_valid().to_numpy())
    names = [hashlib.sha256(f"group\0{name}".encode()).digest() for name in column.drop_null().to_pylist()]
    return pa.table([rows, pa.array(names, pa.binary(32))], schema=GROUPS)
