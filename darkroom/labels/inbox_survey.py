"""What survey hands to ingest of the inbox: its images by hash, with their classes, and who says so."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.labels.inbox import read_inbox
from darkroom.runtime.inputs import read_input_table, stage_input
from darkroom.sources.file_hashes import hash_files
from darkroom.sources.source import Location

FILE = "inbox.parquet"
# `path` is relative to the inbox; `sha256` is null where the file can't be read.
INBOX_ROWS = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.string()),
        ("reviewer", pa.string()),
        ("reason", pa.string()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
    ]
)


def survey_inbox(inbox: Path, location: Location, cache: Path) -> pa.Table:
    """The images of the inbox, sorted by path, with the columns of `INBOX_ROWS`; files that are new or changed are hashed.

    Args:
        inbox: the folder; none is as one without an image.
        location: of the source. Where that is the inbox itself, or a part of it, nothing joins it.
        cache: `.darkroom/cache`.

    Raises:
        DarkroomError: when a table of the inbox is damaged.
    """
    if location.path.absolute().is_relative_to(inbox.absolute()):
        return INBOX_ROWS.empty_table()
    rows = sorted(read_inbox(inbox).items())
    paths = [path for path, _ in rows]
    files, _ = hash_files(paths, inbox, cache / "inbox", inputs=())
    columns = [[getattr(each, name) for _, each in rows] for name in ("label", "reviewer", "reason")]
    return pa.table([paths, *columns, files["bytes"], files["sha256"]], schema=INBOX_ROWS)


def write_inbox_survey(rows: pa.Table, survey: Path) -> None:
    """Write the rows beside the listing of the source; an empty inbox leaves no file."""
    if len(rows):
        pq.write_table(rows, survey / FILE, compression="zstd")


@stage_input
def read_inbox_survey(survey: Path) -> pa.Table:
    """The rows that `write_inbox_survey` wrote to the folder of the survey stage."""
    return read_input_table(survey / FILE) if (survey / FILE).exists() else INBOX_ROWS.empty_table()
