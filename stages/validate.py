"""Check the data against what is expected of it, find copies, and stop the line where an expectation is broken.

Reads: data/ingest/: manifest, rejects, class list; thumbnails from .darkroom/cache, or else from the shards; the manifest of
    the last commit, from DVC's cache or remote.
Writes: data/validate/groups.parquet: id, group; only when no expectation stops the line.
    reports/validate/: validation.json, suite.json, great_expectations.json, copies.parquet; also when one does.
    reports/changes/: changes.json, measures.parquet: the shift since the last commit; no tool tracks it, since clones differ.
    The pages of both, drawn in another process, since they are needed most when the line stops.
    .darkroom/cache/checks: a summary of each range of the manifest, so that a range that did not change is not read again.
Costs: some 2 CPU seconds and what near-copies cost; the import of Great Expectations, 1.2 s, goes on beside the rest.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.checks.checker import Checker
from darkroom.runtime.paths import CHANGES, GROUPS, IMAGE_CACHE, INGEST, VALIDATE_REPORTS
from darkroom.runtime.second_names import share_with_dvc
from darkroom.runtime.stage import draw_pages, stage
from darkroom.runtime.without_pandas import hide_pandas_from_pyarrow
from darkroom.settings.base import read_section
from darkroom.settings.ingest import Ingest
from darkroom.settings.validate import Validate

if TYPE_CHECKING:
    from darkroom.checks.suite import Outcome


def run(
    *,
    ingest: Path,
    settings: Validate,
    max_reject_fraction: float,
    decoder: str,
    cache: Path,
    out: Path,
    reports: Path,
    changes: Path,
) -> "list[Outcome]":
    """Validate the ingested images.

    Args:
        ingest: the folder that the ingest stage wrote.
        settings: the limits, which of them stop the line, and whether to look for near-copies.
        max_reject_fraction: share of the files that may be unreadable.
        decoder: that ingest used.
        cache: the cache that ingest wrote; it need not exist.
        out: the folder for `groups.parquet`; absent afterwards when an expectation stops the line.
        reports: the folder for the results, written in either case.
        changes: the folder for the shift since the last commit of the repository in the current folder.

    Returns:
        The outcome of each expectation.
    """
    with Checker() as checker:
        # Only now, since it imports faiss and OpenCV, 0.3 s in which Great Expectations is being imported already.
        from darkroom.checks.validation import validate

        return validate(
            ingest=ingest,
            settings=settings,
            max_reject_fraction=max_reject_fraction,
            decoder=decoder,
            cache=cache,
            out=out,
            reports=reports,
            changes=changes,
            checker=checker,
        )


def main() -> None:
    with stage("validate"):
        hide_pandas_from_pyarrow()
        # Here, since DVC has copied what ingest made when that had ended.
        share_with_dvc(INGEST, "shards")
        settings, ingest = read_section(Validate), read_section(Ingest)
        outcomes = run(
            ingest=INGEST,
            settings=settings,
            max_reject_fraction=ingest.max_reject_fraction,
            decoder=ingest.decoder,
            cache=IMAGE_CACHE,
            out=GROUPS.parent,
            reports=VALIDATE_REPORTS,
            changes=CHANGES,
        )
        draw_pages("validate", "great_expectations", "changes")
        from darkroom.checks.validation import stop_if_broken

        stop_if_broken(outcomes, VALIDATE_REPORTS / "index.html", CHANGES / "index.html")


if __name__ == "__main__":
    main()
