"""The test images of a revision as they are now, each with its bytes and its current label; and the split of all images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from darkroom.images.manifest import INGEST, manifest_of
from darkroom.images.shards import Place, read_shards
from darkroom.model.classes import ClassList, load_classes
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import read_input_table
from darkroom.runtime.paths import SPLIT_TABLE
from darkroom.runtime.revisions import Revision

REMEDY = "`dvc checkout --force` brings the workspace's back"
COLUMNS = ["id", "sha256", "path", "label", "source_label", "shard", "offset", "bytes"]


@dataclass(frozen=True)
class DataSplits:
    """The images of a revision and the split of each.

    Attributes:
        name: of the revision.
        classes: of its data.
        images: a row for each image with `COLUMNS`, sorted by path.
        splits: `train`, `validation`, `test` or `excluded`, one for each row.
        shards: the folder with the bytes.
    """

    name: str
    classes: ClassList
    images: pa.Table
    splits: list[str]
    shards: Path

    def rows(self, *splits: str) -> list[int]:
        """Positions of the images of some splits."""
        return [row for row, split in enumerate(self.splits) if split in splits]

    def of(self, column: str, *splits: str) -> list[str]:
        """A column of the images of some splits."""
        found: list[str] = self.images[column].take(np.array(self.rows(*splits), np.int64)).to_pylist()
        return found


@dataclass(frozen=True)
class LabelledImages:
    """The test images of a revision.

    Attributes:
        name: of the revision.
        classes: of its data.
        ids, sha256, paths: of the images.
        labels: names of their classes, as they are now.
        places: where their bytes are.
        shards: the folder with the bytes.
    """

    name: str
    classes: ClassList
    ids: list[str]
    sha256: list[str]
    paths: list[str]
    labels: list[str]
    places: list[Place]
    shards: Path

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: list[int]) -> "LabelledImages":
        """Some of them, in the order given."""
        ids, sha256, paths, labels = (
            [of[row] for row in rows] for of in (self.ids, self.sha256, self.paths, self.labels)
        )
        places = [self.places[row] for row in rows]
        return replace(self, ids=ids, sha256=sha256, paths=paths, labels=labels, places=places)

    def files(self) -> Iterator[bytes]:
        """The bytes of each image, as they were in the source."""
        return read_shards(self.shards, self.places)

    def file(self, row: int) -> bytes:
        """The bytes of one image."""
        return next(read_shards(self.shards, [self.places[row]]))


def data_splits(revision: Revision) -> DataSplits:
    """Read which images a revision has, and in which splits.

    Raises:
        DarkroomError: when it has no manifest or no split table, or they don't belong together.
    """
    table = manifest_of(revision, COLUMNS)
    if table is None or not revision.has(str(SPLIT_TABLE)):
        raise DarkroomError(
            f"{revision.name} has no {INGEST} with a split: run `make run` there, and commit the dvc.lock of a revision"
        )
    splits = read_input_table(revision.get(str(SPLIT_TABLE)), ["id", "split"])
    of = dict(zip(splits["id"].to_pylist(), splits["split"].to_pylist(), strict=True))
    ids = table["id"].to_pylist()
    if of.keys() != set(ids):
        raise DarkroomError(
            f"{SPLIT_TABLE} of {revision.name} is of other images than its manifest: run `dvc repro split`"
        )
    classes = load_classes(revision.get(f"{INGEST}/classes.json"), REMEDY, f"{INGEST}/classes.json of {revision.name}")
    return DataSplits(revision.name, classes, table, [of[image] for image in ids], Path(f"{INGEST}/shards"))


def labelled_test_images(revision: Revision, data: DataSplits) -> LabelledImages:
    """The test images of a revision, whose shards are fetched.

    Raises:
        DarkroomError: when there are none, or their bytes are out of reach.
    """
    rows = data.rows("test")
    if not rows:
        raise DarkroomError(f"{data.name} has no test images: set split.test above 0, and run the line")
    images = data.images.take(np.array(rows))
    places = zip(*(images[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True)
    ids, sha256, paths, labels = (images[name].to_pylist() for name in ("id", "sha256", "path", "label"))
    return LabelledImages(
        data.name, data.classes, ids, sha256, paths, labels, list(places), revision.get(str(data.shards))
    )
