"""The table of the split stage: written for those who follow, and read again by the next run, which moves nothing in it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.splits.rule import NOWHERE, TEST, WITHHELD, Bools, Images, Parts, Wish
from darkroom.splits.sticky import torn_groups

SETTINGS = b"darkroom.split"
CONTENT = "content"


@dataclass(frozen=True)
class Recalled:
    """Where the images were.

    Attributes:
        parts: int16 [N], `NOWHERE` for those that are new.
        changed: why the table says nothing, as `split.seed was 0 and is 1`; then all images are new.
        reclaimed: how many images the source now puts into another split than it did; their groups are new.
    """

    parts: Parts
    changed: list[str]
    reclaimed: int


def recall(previous: Path | None, wish: Wish, manifest: pa.Table, images: Images) -> Recalled:
    """Read the table of the run before.

    An image is known by its id, and a renamed one by its bytes: another with these is gone. One that was
    withheld is new. Where the source now says something else about an image than it did then, the user has spoken: the
    image's whole group is placed anew.

    Args:
        previous: a table that `place_table` made; None where there is none.
        wish: a table that was made with another one says nothing.
        manifest: the columns `id`, `sha256` and `source_split`.

    Raises:
        DarkroomError: when the table can't be read.
    """
    parts = np.full(len(manifest), NOWHERE, dtype=np.int16)
    if previous is None:
        return Recalled(parts, [], 0)
    try:
        table = pq.read_table(previous)
    except (pa.ArrowException, OSError) as error:
        raise DarkroomError(
            f"{previous}, which says where the images were, can't be read ({error}): get it back with "
            f"`dvc checkout {previous.parent}`, or delete it to have every image placed anew"
        ) from None
    if SETTINGS not in (table.schema.metadata or {}) or CONTENT not in table.column_names:
        return Recalled(parts, [f"{previous} was made by another rule"], 0)
    then = json.loads(table.schema.metadata[SETTINGS])
    changed = [
        f"split.{name} was {then[name]} and is {now}" for name, now in settings_of(wish).items() if then[name] != now
    ]
    if changed:
        return Recalled(parts, changed, 0)
    placed = _parts_in(table, wish)
    found = pc.index_in(manifest["id"].combine_chunks(), value_set=table["id"].combine_chunks())
    gone = ~pc.is_in(table["id"].combine_chunks(), value_set=manifest["id"].combine_chunks()).to_numpy(
        zero_copy_only=False
    )
    found = pc.coalesce(found, _renamed(table[CONTENT].combine_chunks(), placed, gone, _content(manifest)))
    known = pc.is_valid(found).to_numpy(zero_copy_only=False)
    rows = found.drop_null()
    parts[known] = placed[rows.to_numpy()]
    said = pc.fill_null(table["source_split"].combine_chunks().take(rows), "")
    says = pc.fill_null(manifest["source_split"].combine_chunks().filter(pa.array(known)), "")
    reclaimed = np.flatnonzero(known)[pc.not_equal(said, says).to_numpy(zero_copy_only=False)]
    anew = np.zeros(len(images.group_names), dtype=bool)
    anew[images.group[reclaimed]] = True
    parts[anew[images.group]] = NOWHERE
    return Recalled(parts, [], len(reclaimed))


def _renamed(then: pa.UInt64Array, placed: Parts, gone: Bools, now: pa.UInt64Array) -> pa.Int32Array:
    """For each present image the row of one that is gone and had its bytes; null where there is none, or several differ."""
    left = np.flatnonzero(gone)
    contents, first, numbers = np.unique(then.to_numpy()[left], return_index=True, return_inverse=True)
    low, high = np.full(len(contents), np.iinfo(np.int16).max, np.int16), np.full(len(contents), NOWHERE, np.int16)
    np.minimum.at(low, numbers, placed[left])
    np.maximum.at(high, numbers, placed[left])
    rows = pa.array(left[first[low == high]].astype(np.int32))
    return rows.take(pc.index_in(now, value_set=pa.array(contents[low == high])))


def _content(manifest: pa.Table) -> pa.UInt64Array:
    """The first 64 bits of each image's SHA-256: enough to tell a million files apart."""
    start = pc.binary_slice(pc.cast(manifest["sha256"].combine_chunks(), pa.binary()), 0, 16)
    return pa.array([int(digits, 16) for digits in start.to_pylist()], pa.uint64())


def settings_of(wish: Wish) -> dict[str, str | int | float | None]:
    """What a table must have been made with for its placements to count."""
    values = asdict(wish)
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()}


def _parts_in(table: pa.Table, wish: Wish) -> Parts:
    """The part of each row, int16."""
    if wish.folds is None:
        return _codes(table["split"], wish.parts)
    folds = pc.fill_null(table["fold"].cast(pa.int16()), NOWHERE - 1).to_numpy()
    return np.where(_codes(table["split"], ("test",)) == TEST, TEST, folds + 1).astype(np.int16)


def _codes(column: pa.ChunkedArray, names: tuple[str, ...]) -> Parts:
    codes = pc.fill_null(pc.index_in(column, value_set=pa.array(names)), NOWHERE)
    return np.asarray(codes.to_numpy(), dtype=np.int16)


def place_table(manifest: pa.Table, images: Images, parts: Parts, wish: Wish, fold: int) -> pa.Table:
    """The table that the split stage writes: id, split, group, fold, source_split, content; a row for each image.

    A group in several parts is written as one for each part, named by the SHA-256 of its name and the part's, so that no
    group in the table straddles two splits. `content` is the beginning of the SHA-256. `fold` is null without folds, and for
    test and withheld images. The settings stand in the schema's metadata; which fold validates is not among them, since it
    moves no image to another fold.
    """
    groups = images.group_names.take(pa.array(images.group))
    torn = np.flatnonzero(torn_groups(parts, images))
    if len(torn):
        names = groups.to_pylist()
        for row in torn:
            part = wish.parts[parts[row]] if parts[row] != NOWHERE else WITHHELD
            names[row] = hashlib.sha256(f"{names[row]}\0{part}".encode()).hexdigest()
        groups = pa.array(names, pa.string())
    folds = parts - 1
    splits = pa.array(wish.splits(fold)).take(pa.array(np.where(parts == NOWHERE, len(wish.parts), parts)))
    columns = {
        "id": manifest["id"].combine_chunks(),
        "split": splits,
        "group": groups,
        "fold": pa.array(folds, pa.int8(), mask=(parts <= TEST) | (wish.folds is None)),
        "source_split": manifest["source_split"].combine_chunks(),
        CONTENT: _content(manifest),
    }
    table = pa.table(columns)
    return table.replace_schema_metadata({SETTINGS: json.dumps(settings_of(wish)).encode()})
