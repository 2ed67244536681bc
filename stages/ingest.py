"""Open every image exactly once.

Reads: the source that `ingest.source` and `ingest.path` name, which is never written to; data/survey/, the hashes of its files;
    data/label_fixes.csv, what reviewers decided; .darkroom/seen, what earlier runs learned of its images.
Writes: data/ingest/: manifest/, shards/ of the original bytes, rejects.parquet, ignored.parquet, fixes.parquet,
    classes.json.
Costs: for each new image one reading and one decoding, 0.1 ms for a small one; for a known one a copy of its bytes.
"""

import gc
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.images.cache import ImageCache
from darkroom.images.ingest import ingest_images
from darkroom.images.manifest import IGNORED, write_manifest
from darkroom.labels.apply import Fixing
from darkroom.labels.fixes import read_label_fixes
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder
from darkroom.runtime.stage import stage
from darkroom.settings.read import read_params
from darkroom.sources.names import printable
from darkroom.sources.registry import list_source
from darkroom.sources.source import Ignored

SURVEY, SEEN, OUT = Path("data/survey"), Path(".darkroom/seen"), Path("data/ingest")
FIXES = Path("data/label_fixes.csv")


def run(
    source: str,
    path: Path,
    root: Path | None,
    decoder: str,
    max_reject_fraction: float,
    max_unpacked_bytes: int,
    survey: Path,
    seen: Path,
    out: Path,
    fixes: Path | None = None,
) -> None:
    """Take in a whole source.

    Args:
        source, path, root, max_unpacked_bytes: as in `darkroom.sources.registry.list_source`.
        decoder: `turbo`, `opencv` or `pillow`.
        max_reject_fraction: share of the files that may be unreadable.
        survey: the folder that the survey stage wrote.
        seen: where what is learned is kept from run to run; safe to delete.
        out: the folder to write.
        fixes: what reviewers decided about labels, as `darkroom.labels.fixes` reads it; None where nobody did.

    Raises:
        DarkroomError: when the source can't be listed, a fix is wrong or of no image, or more files than allowed can't be
            read as images.
    """
    surveyed = pq.read_table(survey / "files.parquet")
    hashes = dict(zip(surveyed["path"].to_pylist(), surveyed["sha256"].to_pylist(), strict=True))
    listing = list_source(source, path, root, max_unpacked_bytes)
    paths = [image.path for image in listing.images]
    fixing = Fixing(fixes or FIXES, read_label_fixes(fixes, paths, listing.classes) if fixes else [])
    _tell_ignored(listing.ignored, out / "ignored.parquet")
    with whole_folder(out) as folder:
        known = ImageCache(seen, decoder)
        found = ingest_images(listing.images, hashes, decoder, fixing, known, out / "shards", folder / "shards")
        unreadable = found.rejects.filter(pc.is_null(found.rejects["reviewer"]))
        _require_enough(len(found.manifest), unreadable, max_reject_fraction)
        write_manifest(found.manifest, folder)
        pq.write_table(found.rejects, folder / "rejects.parquet")
        pq.write_table(found.fixes, folder / "fixes.parquet")
        pq.write_table(_ignored_table(listing.ignored), folder / "ignored.parquet")
        ClassList(listing.classes).save(folder / "classes.json")
    print(
        f"ingest: {len(found.manifest):,} images of {len(listing.classes)} classes, {len(unreadable):,} rejected; "
        f"{found.read:,} of them were read, the others were in the cache"
    )
    if len(found.fixes):
        print(f"ingest: {_told(found.fixes)}, as {fixes} says")
    for line in _named(unreadable, f"in {out / 'rejects.parquet'}"):
        print(f"  rejected {line}")


def _ignored_table(ignored: list[Ignored]) -> pa.Table:
    """Sorted by path."""
    rows = sorted((item.path, item.reason) for item in ignored)
    return pa.table([[path for path, _ in rows], [reason for _, reason in rows]], schema=IGNORED)


def _tell_ignored(ignored: list[Ignored], where: Path) -> None:
    if not ignored:
        return
    examples = ", ".join(f"{printable(item.path)} ({item.reason})" for item in ignored[:5])
    more = f", and {len(ignored) - 5:,} more" if len(ignored) > 5 else ""
    are = "file is" if len(ignored) == 1 else "files are"
    print(f"ingest: {len(ignored):,} {are} not counted as images: {examples}{more}; all are named in {where}")


def _told(fixes: pa.Table) -> str:
    """How many images were relabelled, removed and kept."""
    done = {"relabel": "relabelled", "remove": "removed", "keep": "kept as they are"}
    actions = fixes["action"].to_pylist()
    return ", ".join(f"{actions.count(action):,} {word}" for action, word in done.items() if action in actions)


def _named(rejects: pa.Table, where: str) -> list[str]:
    """The first ten rejects with their reasons, and how many more there are."""
    first = rejects.slice(0, 10)
    lines = [printable(f"{path}: {reason}") for path, reason in zip(first["path"], first["reason"], strict=True)]
    return lines + ([f"… and {len(rejects) - 10:,} more {where}".rstrip()] if len(rejects) > 10 else [])


def _require_enough(images: int, rejects: pa.Table, max_reject_fraction: float) -> None:
    total = images + len(rejects)
    if len(rejects) <= max_reject_fraction * total:
        return
    listed = "".join(f"\n  {line}" for line in _named(rejects, ""))
    raise DarkroomError(
        f"{len(rejects):,} of {total:,} files ({len(rejects) / total:.1%}) can't be read as images, and "
        f"ingest.max_reject_fraction allows {max_reject_fraction:.1%}: mend or remove them, or raise the limit{listed}"
    )


def main() -> None:
    # Nothing here refers to itself, and looking for such things among 60,000 images takes 0.7 of 2.6 seconds.
    gc.disable()
    with stage("ingest"):
        params = read_params().ingest
        run(
            params.source,
            Path(params.path),
            Path(params.root) if params.root else None,
            params.decoder,
            params.max_reject_fraction,
            int(params.max_unpacked_gib * 2**30),
            SURVEY,
            SEEN,
            OUT,
            FIXES,
        )


if __name__ == "__main__":
    main()
