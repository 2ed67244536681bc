"""The columns of the tables that ingest writes: a row for each readable image, and a row for each reject."""

import pyarrow as pa

MANIFEST = pa.schema(
    [
        ("id", pa.string()),
        ("sha256", pa.string()),
        ("path", pa.string()),
        ("label", pa.string()),
        ("source_split", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mode", pa.string()),
        ("format", pa.string()),
        ("bytes", pa.int64()),
        ("dhash", pa.uint64()),
        ("brightness", pa.float32()),
        ("sharpness", pa.float32()),
        ("shard", pa.string()),
        ("offset", pa.int64()),
    ]
)

REJECTS = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.string()),
        ("source_split", pa.string()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("reason", pa.string()),
    ]
)
