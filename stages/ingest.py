"""Open every image exactly once.

Reads: data/survey/, the listing of the source and the hashes of its files; the source's images, which are never written to;
    data/inbox/ and data/label_fixes.csv, what people decided; .darkroom/cache, what earlier runs measured of its images.
Writes: data/ingest/: for each range of the survey a part of manifest/, and shards/ of the original bytes; receipt.json, the
    list of the parts; {rejects,ignored,fixes,remarks}.parquet, classes.json. .darkroom/cache/ingest: receipts and measures.
Costs: for each new image one reading and one decoding, 0.1 ms for a small one; for a known one in a range that changed a copy
    of its bytes; a range that did not change is neither opened nor written. Memory: that of a range, and a few shards.
"""

import gc
from pathlib import Path

from darkroom.images.ingest import ingest_ranges
from darkroom.images.ingest_input import gather_input
from darkroom.images.ingest_summary import describe_result, require_few_rejects
from darkroom.images.manifest import write_ignored
from darkroom.model.classes import ClassList
from darkroom.runtime.files import whole_folder
from darkroom.runtime.paths import IMAGE_CACHE, INBOX, INGEST, LABEL_FIXES, SURVEY
from darkroom.runtime.second_names import bring_back
from darkroom.runtime.stage import stage
from darkroom.settings.base import read_section
from darkroom.settings.ingest import Ingest
from darkroom.sources.registry import location_of
from darkroom.sources.source import Location


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
    given = gather_input(source, location, decoder, survey, cache, out, fixes, inbox)
    for line in given.describe():
        print(f"ingest: {line}")
    with whole_folder(out) as folder:
        found = ingest_ranges(given, depth, folder)
        require_few_rejects(found.unreadable, found.images, max_reject_fraction)
        found.write(folder)
        write_ignored(given.ignored, folder)
        ClassList(given.classes).save(folder / "classes.json")
    found.save()
    decided_in = [str(file) for file in (fixes, given.joined.lines and inbox) if file]
    for line in describe_result(found, len(given.classes), out, decided_in):
        print(line)


def main() -> None:
    # Nothing here refers to itself, and looking for such things among 60,000 images takes 0.7 of 2.6 seconds.
    gc.disable()
    with stage("ingest"):
        bring_back(INGEST)
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
