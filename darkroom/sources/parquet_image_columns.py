"""The columns beside the images in Parquet files that hold them, with Hugging Face's names for numbered labels."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.columns import OPTIONAL, UNREADABLE, Faults, trimmed
from darkroom.sources.headers import require_columns
from darkroom.sources.junk_files import printed
from darkroom.sources.parquet_columns import read_by_groups

UNLABELLED = "-1"


def holds_images(schema: pa.Schema) -> bool:
    """Whether a table has the column `image: struct<bytes: binary, …>`."""
    at = schema.get_field_index("image")
    kind = schema.field(at).type if at >= 0 else pa.null()
    return bool(pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def read_columns(file: Path) -> tuple[pq.FileMetaData, pa.Table]:
    """A file's footer, and its columns but for the images.

    Raises:
        DarkroomError: when the file is no Parquet or damaged, or lacks `image {bytes}` or `label`.
    """
    try:
        with pq.ParquetFile(file) as opened:
            require_columns(file, opened.schema_arrow.names, ("image", "label"))
            if not holds_images(opened.schema_arrow):
                raise DarkroomError(
                    f"{printed(str(file))}: its column image is {opened.schema_arrow.field('image').type}, not a struct "
                    "with bytes"
                )
            wanted = [name for name in opened.schema_arrow.names if name in ("label", *OPTIONAL)]
            return opened.metadata, read_by_groups(file, opened, wanted)
    except UNREADABLE as error:
        raise DarkroomError(
            f"{printed(str(file))} is not a Parquet file, or is damaged ({error}): fetch it again"
        ) from None


def class_names_of(file: Path, schema: pa.Schema) -> list[str] | None:
    """The names that Hugging Face's metadata give the labels, in order, where labels are numbers.

    Raises:
        DarkroomError: when the metadata can't be read.
    """
    if not pa.types.is_integer(schema.field("label").type):
        return None
    written = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        features = json.loads(written).get("info", {}).get("features", {})
        names = features.get("label", {}).get("names")
    except (ValueError, AttributeError) as error:
        raise DarkroomError(
            f"{printed(str(file))}: its Hugging Face metadata make no sense ({error}): fetch it again"
        ) from None
    return [str(name) for name in names] if isinstance(names, list) else None


def read_labels(content: pa.Table, names: list[str] | None, faults: Faults) -> list[str | None]:
    """Each row's class; `UNLABELLED` where the number says so."""
    labels = trimmed(content["label"])
    faults.add([row for row, label in enumerate(labels) if label is None], "no label")
    if names is None:
        return labels
    known = {str(number): name for number, name in enumerate(names)} | {UNLABELLED: UNLABELLED}
    strange = [row for row, label in enumerate(labels) if label is not None and label not in known]
    faults.add(strange, f"a label that is not among the {len(names)} that the file names")
    return [known.get(label or "") for label in labels]
