"""The prediction log, as monitoring reads it: parts in JSON lines while they are written, then in Parquet; oldest first."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from darkroom.monitoring.rows import BUNDLES, PARTS, PROPERTIES
from darkroom.runtime.checked_json import SOME_KEYS, read_checked
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import private_opener, whole_file

SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("request", pa.string(), nullable=False),
        pa.field("bundle", pa.string(), nullable=False),
        pa.field("image", pa.string(), nullable=False),
        pa.field("session", pa.string()),
        pa.field("label", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("abstained", pa.bool_(), nullable=False),
        pa.field("probabilities", pa.list_(pa.float32()), nullable=False),
        *(pa.field(name, pa.float32()) for name in PROPERTIES),
        pa.field("features", pa.list_(pa.float32())),
    ]
)
# Bytes of JSON that are parsed at a time; a row of a thousand classes has 12,000.
BLOCK = 1 << 24
# Of Parquet: values that come again and again, and those whose bytes are better packed place by place.
REPEATED = ["bundle", "session", "label"]
SPLIT = ["confidence", "probabilities.list.element", *PROPERTIES, "features.list.element"]


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
    """The parts of a log, in the order in which they were begun; each by its stem, which stays when it ends.

    Raises:
        DarkroomError: when there is no such folder.
    """
    if not folder.is_dir():
        raise DarkroomError(
            f"there is no prediction log {folder}: the service writes one with --prediction-log {folder}"
        )
    found: dict[str, Path] = {}
    # Parquet after JSON lines: where both are there, the part has just ended.
    for path in sorted(folder.glob(PARTS), key=lambda path: path.name):
        if path.suffix in (".jsonl", ".parquet"):
            found[path.stem] = path
    return list(found.values())


def read_prediction_log(folder: Path) -> Iterator[pa.Table]:
    """The rows of a log, a table of `SCHEMA` for each part; it may be written to meanwhile.

    A part that is removed while this reads, since the log has reached its size, is left out.

    Args:
        folder: that the service was given.

    Raises:
        DarkroomError: when there is no such folder, or a part is damaged.
    """
    for path in log_parts(folder):
        with suppress(FileNotFoundError):
            yield read_part(path)


def read_part(path: Path) -> pa.Table:
    """The rows of one part; of its Parquet, where it has ended since `log_parts` found it.

    A line that a killed service left half-written at the end is no row.

    Raises:
        FileNotFoundError: when it was removed.
        DarkroomError: when it is damaged.
    """
    try:
        return _read_parquet(path) if path.suffix == ".parquet" else _read_lines(path)
    except FileNotFoundError:
        if path.suffix == ".parquet":
            raise
        return read_part(path.with_suffix(".parquet"))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DarkroomError(f"{path} can't be read as a part of a prediction log ({error}): remove it") from None


def _read_parquet(path: Path) -> pa.Table:
    # Not by its path, in which `session=…` or a day would be taken for columns.
    return pq.read_table(pa.py_buffer(path.read_bytes()), schema=SCHEMA)


def _read_lines(path: Path) -> pa.Table:
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if not whole.strip():
        return SCHEMA.empty_table()
    options = pa.json.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="ignore")
    read = pa.json.ReadOptions(block_size=BLOCK)
    return pa.json.read_json(pa.py_buffer(whole), read_options=read, parse_options=options).cast(SCHEMA)


def write_part(table: pa.Table, path: Path) -> None:
    """Write a part in Parquet, whole or not at all, for this user alone."""
    with whole_file(path) as partial, open(partial, "wb", opener=private_opener) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            compression_level=9,
            use_dictionary=REPEATED,
            use_byte_stream_split=SPLIT,
            write_statistics=False,
        )


def pack_part(path: Path) -> Path:
    """Write a part of JSON lines that has ended as Parquet, and remove it.

    Returns:
        The Parquet.

    Raises:
        DarkroomError: when the part is damaged.
    """
    packed = path.with_suffix(".parquet")
    write_part(read_part(path), packed)
    path.unlink(missing_ok=True)
    return packed


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
