"""Open every image exactly once.

Reads: data/survey/, the listing of the source and the hashes of its files; the source's images, which are never written to;
    data/inbox/ and data/label_fixes.csv, what people decided; .darkroom/cache, what earlier runs measured of its images.
Writes: data/ingest/: manifest/, shards/ of the original bytes, {rejects,ignored,fixes,remarks}.parquet, classes.json.
Costs: for each new image one reading and one decoding, 0.1 ms for a small one; for a known one a copy of its bytes.
"""

import gc
from pathlib import Path

from darkroom.images.cache import ImageCache
from darkroom.images.inbox_images import join_inbox
from darkroom.images.ingest import ingest_images
from darkroom.images.ingest_summary import describe_rejects, describe_remarks, require_few_rejects
from darkroom.images.manifest import describe_timestamps, write_ignored
from darkroom.labels.apply import LabelFixes, describe_fixes
from darkroom.labels.fixes import read_label_fixes
from darkroom.labels.inbox_survey import read_inbox_survey
from darkroom.model.classes import ClassList
from darkroom.runtime.files import whole_folder
from darkroom.runtime.paths import IMAGE_CACHE, INBOX, INGEST, LABEL_FIXES, SURVEY
from darkroom.runtime.stage import stage
from darkroom.settings.base import read_section
from darkroom.settings.ingest import Ingest
from darkroom.sources.listing import describe_found, read_survey
from darkroom.sources.registry import location_of, source_kind
from darkroom.sources.source import Location
from darkroom.sources.survey import require_unchanged


def run(
    *,
    source: str,
    location: Location,
    decoder: str,
    depth: str,
    max_reject_fraction: float,
    survey: Path,
    cache: Path,
    out: Path,
    fixes: Path | None = None,
    inbox: Path = INBOX,
) -> None:
    """Ingest a whole source.

    Args:
        source, location: as in `stages.survey.run`.
        decoder: `turbo`, `opencv` or `pillow`.
        depth: `auto`, `full` or `range`.
        max_reject_fraction: share of the files that may be unreadable.
        survey: the folder that the survey stage wrote.
        cache: what is measured of images, from run to run; safe to delete.
        out: the folder to write.
        fixes: what reviewers decided about labels, as `darkroom.labels.fixes` reads it; None where nobody did.
        inbox: as in `stages.survey.run`.

    Raises:
        DarkroomError: when the source changed after the survey, a fix is wrong or of no image, or more files than allowed
            can't be read as images; or when `depth` has no rule for all of them.
    """
    surveyed = read_survey(survey)
    require_unchanged(surveyed, location, cache)
    known, listing = ImageCache(cache, decoder), surveyed.listing
    decided = read_label_fixes(fixes, [image.path for image in listing.images], listing.classes) if fixes else []
    read = (kind := source_kind(source, location)).reader(location, listing.images)
    joined = join_inbox(surveyed, read, decided, read_inbox_survey(survey), inbox, known)
    surveyed, listing, decided_in = joined.surveyed, joined.surveyed.listing, (fixes, joined.lines and inbox)
    for line in [*describe_found(listing, out / "ignored.parquet"), *joined.lines]:
        print(f"ingest: {line}")
    with whole_folder(out) as folder:
        found = ingest_images(
            listing.images,
            surveyed.hashes,
            surveyed.sizes,
            joined.read,
            decoder,
            depth,
            LabelFixes(fixes or LABEL_FIXES, joined.fixes),
            known,
            out / "shards",
            folder / "shards",
            kind.readers,
        )
        require_few_rejects(found.unreadable, len(found.manifest), max_reject_fraction)
        found.save(folder)
        write_ignored(listing.ignored, folder)
        ClassList(listing.classes).save(folder / "classes.json")
    print(
        f"ingest: {len(found.manifest):,} images of {len(listing.classes)} classes, {len(found.unreadable):,} rejected; "
        f"{found.read:,} of them were read, the others were in the cache{describe_timestamps(found.manifest)}"
    )
    if len(found.fixes):
        print(f"ingest: {describe_fixes(found.fixes)}, as in {' and '.join(map(str, filter(None, decided_in)))}")
    if len(found.remarks):
        print(f"ingest: {describe_remarks(found.remarks, out / 'remarks.parquet')}")
    for line in describe_rejects(found.unreadable, f"in {out / 'rejects.parquet'}"):
        print(f"  rejected {line}")


def main() -> None:
    # Nothing here refers to itself, and looking for such things among 60,000 images takes 0.7 of 2.6 seconds.
    gc.disable()
    with stage("ingest"):
        params = read_section(Ingest)
        run(
            source=params.source,
            location=location_of(params),
            decoder=params.decoder,
            depth=params.depth,
            max_reject_fraction=params.max_reject_fraction,
            survey=SURVEY,
            cache=IMAGE_CACHE,
            out=INGEST,
            fixes=LABEL_FIXES,
        )


if __name__ == "__main__":
    main()
