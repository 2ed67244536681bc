"""The prediction log, as the service writes it and as monitoring reads it: parts in JSON lines or Parquet, oldest first."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from darkroom.monitoring.rows import BUNDLES, PARTS, PROPERTIES, PredictionRow
from darkroom.runtime.checked_json import SOME_KEYS, read_checked
from darkroom.runtime.errors import DarkroomError

SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("request", pa.string(), nullable=False),
        pa.field("bundle", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("confidence", pa.float64(), nullable=False),
        pa.field("abstained", pa.bool_(), nullable=False),
        pa.field("probabilities", pa.list_(pa.float64()), nullable=False),
        *(pa.field(name, pa.float64()) for name in PROPERTIES),
        pa.field("features", pa.list_(pa.float32())),
    ]
)
# Bytes of JSON that are parsed at a time; a row of a thousand classes has 12,000.
BLOCK = 1 << 24


@dataclass(frozen=True)
class LoggedBundle:
    """A bundle that answered.

    Attributes:
        classes: in class-list order, as `probabilities` has them.
        threshold: of confidence, below which it abstained; None where it never did.
        data_version: of the data that it was trained on.
        graph: file name of the graph that predicted.
    """

    __pydantic_config__ = SOME_KEYS

    classes: list[str]
    threshold: float | None
    data_version: str
    graph: str


def log_parts(folder: Path) -> list[Path]:
    """The parts of a log, in the order in which they were begun.

    Raises:
        DarkroomError: when there is no such folder.
    """
    if not folder.is_dir():
        raise DarkroomError(
            f"there is no prediction log {folder}: the service writes one with --prediction-log {folder}"
        )
    return sorted(path for path in folder.glob(PARTS) if path.suffix in (".jsonl", ".parquet"))


def read_prediction_log(folder: Path) -> Iterator[pa.Table]:
    """The rows of a log, a table of `SCHEMA` for each part; it may be written to meanwhile.

    A line that a killed service left half-written at the end of a part is no row. A part that is removed while this reads,
    since the log has reached its size, is left out.

    Args:
        folder: that the service was given.

    Raises:
        DarkroomError: when there is no such folder, or a part is damaged.
    """
    for path in log_parts(folder):
        with contextlib.suppress(FileNotFoundError):
            yield read_part(path)


def read_part(path: Path) -> pa.Table:
    """The rows of one part.

    Raises:
        FileNotFoundError: when it was removed.
        DarkroomError: when it is damaged.
    """
    try:
        return _read_parquet(path) if path.suffix == ".parquet" else _read_lines(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DarkroomError(f"{path} can't be read as a part of a prediction log ({error}): remove it") from None


def _read_parquet(path: Path) -> pa.Table:
    return pq.read_table(path, schema=SCHEMA)


def _read_lines(path: Path) -> pa.Table:
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if not whole:
        return SCHEMA.empty_table()
    options = pa.json.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="ignore")
    read = pa.json.ReadOptions(block_size=BLOCK)
    return pa.json.read_json(pa.py_buffer(whole), read_options=read, parse_options=options).cast(SCHEMA)


def to_table(rows: Sequence[PredictionRow]) -> pa.Table:
    """Rows as a table of `SCHEMA`."""
    return pa.Table.from_pylist([row.to_dict() for row in rows], SCHEMA)


def read_logged_bundle(folder: Path, bundle_hash: str) -> LoggedBundle:
    """What a log says about a bundle that answered.

    Args:
        folder: of the log.
        bundle_hash: as a row has it.

    Raises:
        DarkroomError: when it says nothing, or the file is damaged.
    """
    path = folder / BUNDLES / f"{bundle_hash}.json"
    if not path.is_file():
        raise DarkroomError(
            f"{path} is missing, which has the classes of rows in {folder}: take it from a copy of the log"
        )
    return read_checked(path, LoggedBundle, "take it from a copy of the log")
