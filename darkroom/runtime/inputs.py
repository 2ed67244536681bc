"""What earlier stages wrote, read through one door: a damaged file is named, with the stage that makes it and what to do."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from darkroom.runtime.errors import DarkroomError

if TYPE_CHECKING:  # The command that predicts does without it.
    import pyarrow as pa
    import pyarrow.parquet as pq

# What readers of JSON, Parquet (its errors are subclasses of these) and NumPy raise over damaged files, and what our code
# raises over content of another form. A missing file is another matter: `darkroom.runtime.stage` says which stage makes it.
DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    NotImplementedError,
    RecursionError,
    StopIteration,
)

Arguments = ParamSpec("Arguments")
Content = TypeVar("Content")


def stage_input(
    read: Callable[Concatenate[Path, Arguments], Content],
) -> Callable[Concatenate[Path, Arguments], Content]:
    """Of a function that reads a file or folder of an earlier stage, its first argument.

    Whatever is wrong with what is read becomes a `DarkroomError`; a missing file stays a `FileNotFoundError`.
    """

    @wraps(read)
    def reader(path: Path, /, *arguments: Arguments.args, **named: Arguments.kwargs) -> Content:
        try:
            return read(path, *arguments, **named)
        except FileNotFoundError:
            raise
        except DAMAGE as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
            kind = type(error).__name__
            raise damaged(path, f"{kind}: {reason[:200]}" if isinstance(error, LookupError) else reason[:200]) from None

    return reader


def damaged(path: Path, reason: str) -> DarkroomError:
    """The error about a file or folder of an earlier stage: its place, what is wrong, and what makes it again."""
    parts = path.parts
    places = [place for place, part in enumerate(parts[:-1]) if part in ("data", "models", "reports")]
    remedy = "make it again"
    if places:
        maker, name = "/".join(parts[places[-1] : places[-1] + 2]), parts[places[-1] + 1]
        remedy = f"remove {maker}, and `dvc repro {name}` makes it again"
    return DarkroomError(f"{path} is damaged, or of another version ({reason or 'empty'}): {remedy}")


@stage_input
def read_input_table(path: Path, columns: list[str] | None = None) -> "pa.Table":
    """A Parquet table of an earlier stage.

    Args:
        path: the file.
        columns: those to read; None for all.

    Raises:
        FileNotFoundError: when there is none.
        DarkroomError: when it can't be read, or lacks a column.
    """
    import pyarrow.parquet as pq

    from darkroom.runtime.columns import addressable

    if path.is_dir():  # pyarrow would read every file in it
        raise IsADirectoryError(21, "Is a directory")
    table = pq.read_table(path, columns=columns)
    if columns and table.column_names != columns:
        raise KeyError(f"columns {', '.join(table.column_names)}, and {', '.join(columns)} are needed")
    return addressable(table)


def read_input_slices(path: Path, columns: list[str], lengths: Sequence[int]) -> "Iterator[pa.Table]":
    """A Parquet table of an earlier stage in slices, one row group in memory at a time.

    Args:
        path: the file.
        columns: those to read.
        lengths: of the slices. Of a table with fewer rows the last slices are short, and of one with more the last is long.

    Raises:
        FileNotFoundError: when there is none.
        DarkroomError: when it can't be read, or lacks a column.
    """
    import pyarrow as pa

    with _open_table(path) as file:
        groups = (_read_row_group(path, file, number, columns) for number in range(file.num_row_groups))
        rest = file.schema_arrow.empty_table().select([name for name in columns if name in file.schema_arrow.names])
        for position, length in enumerate(lengths):
            pieces = [rest]
            while sum(map(len, pieces)) < length or position == len(lengths) - 1:
                group = next(groups, None)
                if group is None:
                    break
                pieces.append(group)
            joined = pa.concat_tables(pieces)
            end = len(joined) if position == len(lengths) - 1 else length
            yield joined.slice(0, end)
            rest = joined.slice(end)


@stage_input
def _open_table(path: Path) -> "pq.ParquetFile":
    import pyarrow.parquet as pq

    return pq.ParquetFile(path)


@stage_input
def _read_row_group(path: Path, file: "pq.ParquetFile", number: int, columns: list[str]) -> "pa.Table":
    table = file.read_row_group(number, columns, use_threads=False)
    if table.column_names != columns:
        raise KeyError(f"columns {', '.join(table.column_names)}, and {', '.join(columns)} are needed")
    return table


@stage_input
def read_input_json(path: Path, needed: Mapping[str, type | tuple[type, ...]] | None = None) -> Any:
    """The content of a JSON file of an earlier stage.

    Args:
        path: the file.
        needed: keys that the object in it must have, with the types of their values; None where it may be anything.

    Raises:
        FileNotFoundError: when there is none.
        DarkroomError: when it can't be read, is not JSON in UTF-8, or has other keys or types.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if needed is None:
        return content
    if not isinstance(content, dict):
        raise TypeError(f"{type(content).__name__} in place of an object")
    for key, kinds in needed.items():
        if key not in content:
            raise ValueError(f"has no {key}")
        if not isinstance(content[key], kinds):
            raise TypeError(f"{key} is {type(content[key]).__name__}")
    return content
