"""A Parquet table with the objects of a bucket, such as S3 Inventory writes, in place of a listing by the store."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import ObjectStore, Stored

SUFFIX = ".parquet"
# The last two are S3 Inventory's, of a bucket that keeps versions.
REQUIRED, LATEST, DELETED = ("key", "size"), "is_latest", "is_delete_marker"


def bucket_of(url: str) -> tuple[str, str]:
    """The URL of the bucket that a table is in, and its key there."""
    scheme, _, place = url.partition("://")
    bucket, _, key = place.partition("/")
    return f"{scheme}://{bucket}", key


def read_bucket_listing(store: ObjectStore, key: str) -> list[Stored]:
    """The objects that a table names: columns `key` (from the bucket on), `size`, and `etag` or `e_tag`.

    Args:
        store: the bucket.
        key: of the table.

    Raises:
        DarkroomError: when it is not there, is no Parquet, or lacks a column or a value.
    """
    place = f"{store.url}/{key}"
    try:
        content = pa.BufferReader(store.read(key))
        names = pq.read_schema(content).names
        etag = next((name for name in ("etag", "e_tag") if name in names), "etag")
        if missing := [name for name in (*REQUIRED, etag) if name not in names]:
            raise DarkroomError(f"{place} lacks the columns {', '.join(missing)}: it has {', '.join(names)}")
        versions = [name for name in (LATEST, DELETED) if name in names]
        table = pq.read_table(content, columns=[*REQUIRED, etag, *versions])
    except FileNotFoundError:
        raise DarkroomError(f"there is no {place}: check bucket and name (`aws s3 ls {place}`)") from None
    except pa.ArrowException as error:
        raise DarkroomError(f"{place} can't be read as Parquet ({error}): make it again") from None
    if LATEST in versions:
        table = table.filter(pc.fill_null(table[LATEST], True))
    if DELETED in versions:
        table = table.filter(pc.invert(pc.fill_null(table[DELETED], False)))
    if empty := [name for name in (*REQUIRED, etag) if table[name].null_count]:
        raise DarkroomError(f"{place} has rows without {', '.join(empty)}: make it again with all three")
    columns = (table[name].to_pylist() for name in (*REQUIRED, etag))
    return [
        Stored(name, size, mark.strip('"')) for name, size, mark in zip(*columns, strict=True) if not name.endswith("/")
    ]
