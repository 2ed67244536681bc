"""Place every image in one of train, validation and test.

Reads: data/ingest/ (manifest, class list), data/validate/groups.parquet, and its own table of the run before.
Writes: data/split/splits.parquet: id, split, group, fold, source_split, content.
Costs: a few seconds for a million images.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.images.manifest import read_manifest
from darkroom.model.classes import load_classes
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder
from darkroom.runtime.stage import stage
from darkroom.settings.base import read_section
from darkroom.settings.split import Split
from darkroom.splits import summary as told
from darkroom.splits.rule import UNCLAIMED, Images, Wish, apply_rule
from darkroom.splits.sticky import keep_places
from darkroom.splits.summary import Division, require_every_class
from darkroom.splits.table import place_table, recall

INGEST, GROUPS, OUT = Path("data/ingest"), Path("data/validate/groups.parquet"), Path("data/split")
COLUMNS = ["id", "sha256", "path", "label", "source_split", "timestamp"]


def run(
    ingest: Path,
    groups: Path,
    validation: float,
    test: float,
    seed: int,
    out: Path,
    folds: int | None = None,
    fold: int = 0,
    validation_from: date | None = None,
    test_from: date | None = None,
    previous: Path | None = None,
) -> None:
    """Split the images of a manifest.

    Args:
        ingest: the folder that the ingest stage wrote.
        groups: the table id, group of the validate stage, a row for each image.
        validation, test, seed, folds, validation_from, test_from: as in `Wish`.
        out: the folder to write.
        fold: with folds, the one that validates.
        previous: the table of the run before: images in it stay where they are. It may lie in `out`.

    Raises:
        DarkroomError: when a class has no image in one of the splits, when a cut is set and images have no timestamp, when
            the groups are of another manifest, or when `previous` can't be read.
    """
    classes = load_classes(ingest / "classes.json")
    manifest, grouped = read_manifest(ingest, COLUMNS), pq.read_table(groups)
    if not manifest["id"].equals(grouped["id"]):
        raise DarkroomError(f"{groups} does not belong to the manifest in {ingest}: run `dvc repro` to make it anew")
    wish = Wish(validation, test, seed, folds, validation_from, test_from)
    images = Images.of(manifest, grouped)
    _require_timestamps(manifest, images, wish)
    ruled = apply_rule(images, wish)
    recalled = recall(previous, wish, manifest, images)
    parts = keep_places(recalled.parts, ruled.parts, images)
    labels = pc.index_in(manifest["label"], value_set=pa.array(classes.names)).to_numpy().astype(np.int64)
    division = Division(classes.names, manifest["path"], labels, images, recalled, ruled, parts, wish, fold)
    require_every_class(division)
    with whole_folder(out) as folder:
        pq.write_table(place_table(manifest, images, parts, wish, fold), folder / "splits.parquet")
    for tell in (told.totals, told.memory, told.notable, told.shares):
        for line in tell(division):
            print(line)


def _require_timestamps(manifest: pa.Table, images: Images, wish: Wish) -> None:
    """A cut by date needs to know when every image was taken, but for those that the source places itself."""
    wanted = [name for name in ("validation_from", "test_from") if getattr(wish, name)]
    undated = manifest["timestamp"].is_null().to_numpy() & (images.claims == UNCLAIMED)
    if not wanted or not undated.any():
        return
    first = manifest["path"].filter(pa.array(undated))[:3].to_pylist()
    raise DarkroomError(
        f"split.{wanted[0]} is set, and {int(undated.sum()):,} of {len(undated):,} images have no timestamp, the first of them "
        f"{', '.join(first)}: give the source's table a `timestamp` for each of them, or leave split.{wanted[0]} empty"
    )


@contextmanager
def table_before() -> Iterator[Path | None]:
    """The table of the run before: in its place, or else from DVC's cache or remote where dvc.lock names it."""
    table = OUT / "splits.parquet"
    if table.exists() or not Path("dvc.lock").exists():
        yield table if table.exists() else None
        return
    from darkroom.runtime.revisions import open_locked

    with open_locked() as locked:
        try:
            found = locked.get(str(table)) if locked.has(str(table)) else None
        except DarkroomError as error:
            found = None
            print(f"split: {error}")
            print(
                "  without it every image is placed by the rule alone, and near-copies may not be where they were before"
            )
        yield found


def main() -> None:
    with stage("split"):
        params = read_section(Split)
        with table_before() as previous:
            run(
                INGEST,
                GROUPS,
                params.validation,
                params.test,
                params.seed,
                OUT,
                params.folds,
                params.fold,
                params.validation_from,
                params.test_from,
                previous,
            )


if __name__ == "__main__":
    main()
