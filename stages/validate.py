"""Hold the data against what is expected of it, find copies, and stop the line where it must not go on.

Reads: data/ingest/: manifest, rejects, what is ignored, class list; thumbnails from .darkroom/cache, or else from the shards;
    some 140 images of the shards for the page; the manifest of the last commit, from DVC's cache or remote.
Writes: data/validate/groups.parquet: id, group; only when no expectation stops the line.
    reports/validate/: index.html, great_expectations.html, validation.json, suite.json; also when one does.
    reports/changes/: index.html, changes.json: what changed since the last commit; no tool tracks it, since clones differ.
Costs: some 4 s for 60,000 images; the import of Great Expectations, 2 s, goes on beside the rest.
"""

from pathlib import Path

from darkroom.checks.checker import Checker
from darkroom.checks.limits import Limits
from darkroom.runtime.stage import stage
from darkroom.settings.base import read_section
from darkroom.settings.ingest import Ingest
from darkroom.settings.validate import Validate

INGEST, SEEN = Path("data/ingest"), Path(".darkroom/cache")
OUT, REPORTS, CHANGES = Path("data/validate"), Path("reports/validate"), Path("reports/changes")


def run(
    ingest: Path,
    limits: Limits,
    near_copies: bool,
    stop: tuple[str, ...],
    decoder: str,
    seen: Path,
    out: Path,
    reports: Path,
    changes: Path,
) -> None:
    """Validate what ingest took in; all is as in `darkroom.checks.validation.validate`."""
    with Checker() as checker:
        # Only now, since it loads pandas, SciPy and faiss, 0.5 s in which Great Expectations is loading already.
        from darkroom.checks.validation import validate

        validate(ingest, limits, near_copies, stop, decoder, seen, out, reports, changes, checker)


def main() -> None:
    with stage("validate"):
        settings, ingest = read_section(Validate), read_section(Ingest)
        limits = settings.model_dump(exclude={"near_copies", "stop"})
        run(
            INGEST,
            Limits(max_reject_fraction=ingest.max_reject_fraction, **limits),
            settings.near_copies,
            tuple(settings.stop),
            ingest.decoder,
            SEEN,
            OUT,
            REPORTS,
            CHANGES,
        )


if __name__ == "__main__":
    main()
