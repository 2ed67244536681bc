"""Remove rows from a prediction log: what somebody asked to be forgotten.

python -m darkroom.monitoring.forget LOG ID [ID ...]

An ID is the SHA-256 of an image's file (`sha256sum photo.jpg`), a request id (`X-Request-ID` of the answer), or a session as
the client sent it (`X-Session-ID`). The service may go on writing meanwhile. The exit status is 1 where no row has an ID.
"""

import argparse
import json
import os
import re
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.monitoring.keyed import KEY, LogKey
from darkroom.monitoring.log_copy import local_log, send_changes, states
from darkroom.monitoring.prediction_log import log_parts, read_part, write_part
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import is_url
from darkroom.runtime.stage import user_errors
from darkroom.runtime.text import count

# The columns that name something.
NAMES = ("request", "image", "session")
SHA256 = re.compile("[0-9a-fA-F]{64}")


def forget(folder: Path, ids: Collection[str]) -> dict[str, int]:
    """Remove the rows of some ids; the other rows of a part stay in their order, and it keeps its name.

    Args:
        folder: of the log.
        ids: as the head of this module has them.

    Returns:
        Rows removed for each id; one that two of them name counts for both.

    Raises:
        DarkroomError: when there is no such log, it has no key, or a part is damaged.
        OSError: when a part can't be written.
    """
    parts = log_parts(folder)
    if not (folder / KEY).exists():
        raise DarkroomError(
            f"{folder / KEY} is missing, and without the key no row of the log can be found: take it from a copy of the log"
        )
    key = LogKey(folder)
    hashes = {each: key.hash(each.lower() if SHA256.fullmatch(each) else each) for each in ids}
    removed = dict.fromkeys(ids, 0)
    done = set[Path]()
    # Again, since a part of JSON lines may have become Parquet meanwhile, from what it had before.
    while new := [path for path in parts if path not in done]:
        for path in new:
            done.add(path)
            try:
                found = _forget_lines(path, hashes) if path.suffix == ".jsonl" else _forget_rows(path, hashes)
            except FileNotFoundError:  # removed as the oldest, or Parquet by now
                continue
            removed = {each: rows + found[each] for each, rows in removed.items()}
        parts = log_parts(folder)
    return removed


def _forget_rows(path: Path, hashes: dict[str, str]) -> dict[str, int]:
    table = read_part(path)
    gone = pa.array([False] * len(table))
    found = {}
    for each, value in hashes.items():
        rows = pa.array([False] * len(table))
        for name in NAMES:
            rows = pc.or_(rows, pc.fill_null(pc.equal(table[name], value), False))
        gone = pc.or_(gone, rows)
        found[each] = int(pc.sum(rows).as_py() or 0)
    if any(found.values()):
        write_part(table.filter(pc.invert(gone)), path)
    return found


def _forget_lines(path: Path, hashes: dict[str, str]) -> dict[str, int]:
    """Overwrite lines with blanks, in place: a service may be writing at the end of this file."""
    found = dict.fromkeys(hashes, 0)
    position = 0
    with path.open("r+b", buffering=0) as file:
        for line in path.read_bytes().splitlines(keepends=True):
            if any(value.encode() in line for value in hashes.values()) and line.endswith(b"\n"):
                row = json.loads(line)
                names = {row[name] for name in NAMES}
                mine = [each for each, value in hashes.items() if value in names]
                if mine:
                    os.pwrite(file.fileno(), b" " * (len(line) - 1), position)
                for each in mine:
                    found[each] += 1
            position += len(line)
        os.fsync(file.fileno())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.monitoring.forget", description="Remove rows from a prediction log."
    )
    parser.add_argument("log", help="the folder or the URL that the service was given: --prediction-log")
    parser.add_argument(
        "ids", nargs="+", metavar="id", help="SHA-256 of an image's file, a request id, or a session as it was sent"
    )
    arguments = parser.parse_args()
    with user_errors():
        try:
            folder = local_log(arguments.log)
            before = states(folder)
            removed = forget(folder, list(dict.fromkeys(arguments.ids)))
            if is_url(arguments.log):
                send_changes(arguments.log, folder, before)
        except OSError as error:
            raise DarkroomError(
                f"{arguments.log} can't be changed: {error.strerror}; run this as the user of the service"
            ) from None
        for each, rows in removed.items():
            print(f"{each}: {count(rows, 'row', 'rows')} removed" if rows else f"{each}: no row has it")
    if not all(removed.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
