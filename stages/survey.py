"""Look at the source, once: list its images, and hash the files that are new or changed.

Reads: the source that `ingest.source`, `ingest.path` and `ingest.root` name, which is never written to; data/inbox/, the images
    that people labelled.
Writes: data/survey/: images/<range>.parquet, receipt.json, {files,counts,ignored,classes}.parquet, which
    `darkroom.sources.listing` describes, and inbox.parquet, where there is an inbox; equal on every machine that has the same
    source.
Costs: a look at each file of a folder, 3 µs, or at an archive; where that tells of a change, a listing and hashing of what is
    new. What did not change is not written again. DVC runs it every time, since only a look can tell that nothing changed;
    hashing the user's folder itself would cost DVC seconds for every 10,000 files.
"""

import hashlib
from pathlib import Path

from darkroom.labels.inbox_survey import survey_inbox, write_inbox_survey
from darkroom.runtime.files import whole_folder
from darkroom.runtime.links import repair_links
from darkroom.runtime.paths import IMAGE_CACHE, INBOX, INGEST, OUTPUTS, SURVEY
from darkroom.runtime.second_names import name_again
from darkroom.runtime.stage import stage
from darkroom.runtime.text import count
from darkroom.runtime.without_pandas import hide_pandas_from_pyarrow
from darkroom.settings.read import read_params
from darkroom.sources.last_survey import LastSurvey
from darkroom.sources.registry import location_of
from darkroom.sources.source import Location
from darkroom.sources.survey import look_at, survey
from darkroom.sources.survey_parts import as_parquet


def run(*, source: str, location: Location, cache: Path, out: Path, inbox: Path = INBOX) -> None:
    """Survey a source.

    Args:
        source: its kind, as in `ingest.source`.
        location: where it is.
        cache: hashes and listings, from run to run; safe to delete.
        out: the folder to write.
        inbox: images that people labelled, as `darkroom.labels.inbox` stores them; it need not exist.

    Raises:
        DarkroomError: when the source can't be listed, or the inbox is damaged.
    """
    look, labelled, last = look_at(source, location), survey_inbox(inbox, location, cache), LastSurvey(cache, out)
    mark = look.mark and f"{look.mark} {hashlib.sha256(as_parquet(labelled)).hexdigest()}"
    if (found := last.found(mark)) is None:
        with whole_folder(out) as folder:
            found = survey(source, location, look, cache, folder, out)
            write_inbox_survey(labelled, folder)
        last.remember(mark, found)
    # The digits come with scikit-learn, and have no files.
    if location.url and found.files:
        where = f" in {count(found.files, 'object')} of {location.url}, by its listing"
    else:
        where = f" in {count(found.files, 'file')}, {found.hashed:,} new or changed" if found.files else ""
    print(f"survey: {count(found.images, 'image')} of {found.classes:,} classes{where}")
    if len(labelled):
        print(f"survey: {count(len(labelled), 'image')} in the inbox {inbox}")


def main() -> None:
    hide_pandas_from_pyarrow()
    with stage("survey"):
        # Here, since it is the first stage, and DVC looks at the files of each only when its turn comes.
        repair_links(path for outputs in OUTPUTS.values() for path in outputs)
        name_again(INGEST)
        params = read_params().ingest
        run(
            source=params.source,
            location=location_of(params),
            cache=IMAGE_CACHE,
            out=SURVEY,
        )


if __name__ == "__main__":
    main()
