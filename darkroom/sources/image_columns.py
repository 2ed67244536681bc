"""The images of a folder or an archive as columns, in place of an object for each."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import Int32s, Int64s
from darkroom.runtime.columns import update_with_text
from darkroom.sources.class_names import alike, joined_names
from darkroom.sources.placed import place_files
from darkroom.sources.source import Ignored, Listing, Location, SourceImage


@dataclass(frozen=True)
class ImageColumns:
    """A listing.

    Attributes:
        classes, ignored: as in `Listing`.
        names: of the images, sorted.
        folder: of each image, by its number, int32 [N].
        labels, splits: of each folder.
    """

    classes: tuple[str, ...]
    ignored: list[Ignored]
    names: pa.ChunkedArray
    folder: Int32s
    labels: pa.Array
    splits: pa.Array

    def images(self, start: int, end: int) -> pa.Table:
        """Images `start` to `end`: the attributes of `SourceImage`, as columns."""
        raise NotImplementedError

    def names_mark(self, start: int, end: int) -> bytes:
        """What changes when the path, the label or the split of any of these images does, and costs little."""
        folders, numbers = np.unique(self.folder[start:end], return_inverse=True)
        meaning = [column.take(pa.array(folders)).to_pylist() for column in (self.labels, self.splits)]
        digest = hashlib.sha256(f"{end - start} {meaning}".encode())
        digest.update(numbers.tobytes())
        update_with_text(digest, self.names.slice(start, end - start))
        return digest.digest()

    def listing(self, inputs: Sequence[str] = ()) -> Listing:
        """The same with an object for each image."""
        columns = self.images(0, len(self.names)).to_pydict()
        columns["place"] = [None if place is None else tuple(place) for place in columns["place"]]
        return Listing(self.classes, list(map(SourceImage, *columns.values())), self.ignored, list(inputs))

    def as_images(
        self, start: int, end: int, files: pa.ChunkedArray | pa.Array, place: pa.Array = None, stamp: pa.Array = None
    ) -> pa.Table:
        """As `images`, with the last three columns given, for these images."""
        rows, none = pa.array(self.folder[start:end]), pa.nulls(end - start)
        columns = [self.names.slice(start, end - start), self.labels.take(rows), self.splits.take(rows), files]
        columns += [none if column is None else column for column in (place, stamp, None, None)]
        return pa.table(columns, names=list(SourceImage._fields))


def place_images(
    paths: pa.ChunkedArray, location: Location, folders: Iterable[str], others: Sequence[Ignored]
) -> tuple[Int64s, ImageColumns]:
    """Which of the paths are images, int64 [N], and their columns.

    Args:
        paths, folders, others: as in `place_files`.
        location: of the source.

    Raises:
        DarkroomError: when there are fewer than two classes, or two are named alike and `location` does not say what they are.
    """
    placed = place_files(paths, str(location.path), folders, others, location.class_level)
    names = paths if len(placed.rows) == len(paths) else paths.take(pa.array(placed.rows))
    names = pc.utf8_slice_codeunits(names, placed.cut) if placed.cut else names
    labels, classes = placed.labels, placed.classes
    if alike(classes):
        of_images = [labels[number] for number in placed.folder.tolist()]
        places = dict(zip(reversed(of_images), reversed(names.to_pylist()), strict=True))
        joined = joined_names(classes, Counter(of_images), places, location)
        labels = [joined.get(name, name) for name in labels]
        classes = tuple(name for name in classes if joined.get(name, name) == name)
    found = ImageColumns(
        classes,
        placed.ignored,
        names,
        placed.folder,
        pa.array(labels, pa.string()),
        pa.array(placed.splits, pa.string()),
    )
    return placed.rows, found
