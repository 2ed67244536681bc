"""Open every image exactly once.

Reads: the source that `ingest.source` and `ingest.path` name, which is never written to.
Writes: data/ingest/: manifest.parquet, shards/ of the original bytes, rejects.parquet, classes.json.
Costs: about 0.15 ms an image of 28 pixels, and one decoding for each larger one; memory for one shard.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.classes import ClassList
from darkroom.errors import DarkroomError
from darkroom.images.manifest import examine_all
from darkroom.images.schemas import MANIFEST, REJECTS
from darkroom.images.shards import ShardWriter
from darkroom.params import read_params
from darkroom.sources.named import list_source
from darkroom.sources.source import Ignored
from darkroom.stage import stage
from darkroom.writing import whole_folder

OUT = Path("data/ingest")


def run(source: str, path: Path, max_reject_fraction: float, out: Path) -> None:
    """Take in a whole source.

    Args:
        source: its kind: `fashion-mnist`, `digits`, `folder` or `zip`.
        path: where a folder or a zip is.
        max_reject_fraction: share of the files that may be unreadable.
        out: the folder to write.

    Raises:
        DarkroomError: when the source can't be listed, or more files than allowed can't be read as images.
    """
    listing = list_source(source, path)
    _tell_ignored(listing.ignored)
    rows: list[dict[str, object]] = []
    rejects: list[dict[str, object]] = []
    with whole_folder(out) as folder:
        shards = ShardWriter(folder / "shards")
        for examined in examine_all(listing.images):
            if examined.rejected:
                rejects.append(examined.row)
                continue
            shard, offset = shards.add(str(examined.row["id"]), examined.data)
            rows.append(examined.row | {"shard": shard, "offset": offset})
        shards.close()
        _require_enough(len(rows), rejects, max_reject_fraction)
        pq.write_table(pa.Table.from_pylist(rows, MANIFEST), folder / "manifest.parquet")
        pq.write_table(pa.Table.from_pylist(rejects, REJECTS), folder / "rejects.parquet")
        ClassList(listing.classes).save(folder / "classes.json")
    print(f"ingest: {len(rows):,} images of {len(listing.classes)} classes, {len(rejects):,} rejected")
    for reject in rejects[:10]:
        print(f"  rejected {reject['path']}: {reject['reason']}")
    if len(rejects) > 10:
        print(f"  … and {len(rejects) - 10:,} more in {out / 'rejects.parquet'}")


def _tell_ignored(ignored: list[Ignored]) -> None:
    if not ignored:
        return
    examples = ", ".join(f"{item.path} ({item.reason})" for item in ignored[:5])
    more = f", and {len(ignored) - 5:,} more" if len(ignored) > 5 else ""
    print(f"ingest: {len(ignored):,} files are not counted as images: {examples}{more}")


def _require_enough(images: int, rejects: list[dict[str, object]], max_reject_fraction: float) -> None:
    total = images + len(rejects)
    if len(rejects) <= max_reject_fraction * total:
        return
    listed = "".join(f"\n  {reject['path']}: {reject['reason']}" for reject in rejects[:10])
    more = f"\n  … and {len(rejects) - 10:,} more" if len(rejects) > 10 else ""
    raise DarkroomError(
        f"{len(rejects):,} of {total:,} files ({len(rejects) / total:.1%}) can't be read as images, and "
        f"ingest.max_reject_fraction allows {max_reject_fraction:.1%}: mend or remove them, or raise the limit{listed}{more}"
    )


def main() -> None:
    with stage("ingest"):
        params = read_params().ingest
        run(params.source, Path(params.path), params.max_reject_fraction, OUT)


if __name__ == "__main__":
    main()
