"""Hold the data against what is expected of it, find copies, and stop the line where it must not go on.

Reads: data/ingest/: manifest, rejects, class list; a few images of the shards for the page.
Writes: data/validate/groups.parquet: id, group; only when no expectation stops the line.
    reports/validate/: index.html, great_expectations.html, validation.json, suite.json; also when one does.
Costs: about 3 s to import Great Expectations, a second for 70,000 images, 120 decodings for the page.
"""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.classes import load_classes
from darkroom.errors import DarkroomError
from darkroom.expectations.documentation import documentation_page
from darkroom.expectations.facts import gather_facts
from darkroom.expectations.outcomes import check_all
from darkroom.expectations.suite import Limits, expectations_of
from darkroom.expectations.telling import results, stop_if_broken, summary
from darkroom.params import read_params
from darkroom.reporting.dataset import dataset_page
from darkroom.stage import stage
from darkroom.writing import whole_folder, write_json

INGEST, OUT, REPORTS = Path("data/ingest"), Path("data/validate"), Path("reports/validate")
GROUPS = pa.schema([("id", pa.string()), ("group", pa.string())])


def run(
    ingest: Path,
    max_reject_fraction: float,
    min_images_per_class: int,
    max_imbalance_ratio: float,
    min_side: int,
    max_side: int,
    out: Path,
    reports: Path,
) -> None:
    """Validate what ingest took in.

    Args:
        ingest: the folder that the ingest stage wrote.
        max_reject_fraction: of all files, how many may be unreadable.
        min_images_per_class: readable ones.
        max_imbalance_ratio: largest class divided by smallest, at most.
        min_side, max_side: of every image, in pixels.
        out: the folder for `groups.parquet`; absent afterwards when an expectation stops the line.
        reports: the folder for pages and results; written whole in either case.

    Raises:
        DarkroomError: naming every expectation that stops the line, with what was found and what is allowed.
    """
    # Groups of an earlier, better data set must not be taken for those of this one.
    if out.exists():
        shutil.rmtree(out)
    classes = load_classes(ingest / "classes.json")
    manifest = pq.read_table(ingest / "manifest.parquet").to_pandas()
    rejects = pq.read_table(ingest / "rejects.parquet").to_pandas()
    if manifest.empty:
        raise DarkroomError(
            f"{ingest / 'manifest.parquet'} has no image: run `dvc repro ingest` with images to take in"
        )
    limits = Limits(max_reject_fraction, min_images_per_class, max_imbalance_ratio, min_side, max_side)
    facts = gather_facts(manifest, rejects, classes)
    validation = check_all(expectations_of(facts, classes.names, limits), facts.tables)
    with whole_folder(reports) as folder:
        write_json(folder / "suite.json", {name: suite.to_json_dict() for name, suite in validation.suites.items()})
        write_json(folder / "validation.json", results(facts, validation.outcomes))
        page = documentation_page(validation.result)
        (folder / "great_expectations.html").write_text(page, encoding="utf-8")
        page = dataset_page(facts, validation.outcomes, ingest / "shards")
        (folder / "index.html").write_text(page, encoding="utf-8")
    print(summary(facts, validation.outcomes))
    print(f"  page: {reports / 'index.html'}")
    stop_if_broken(validation.outcomes, reports / "index.html")
    with whole_folder(out) as folder:
        pq.write_table(pa.Table.from_pandas(facts.groups, GROUPS, preserve_index=False), folder / "groups.parquet")


def main() -> None:
    with stage("validate"):
        params = read_params()
        run(
            INGEST,
            params.ingest.max_reject_fraction,
            params.validate_.min_images_per_class,
            params.validate_.max_imbalance_ratio,
            params.validate_.min_side,
            params.validate_.max_side,
            OUT,
            REPORTS,
        )


if __name__ == "__main__":
    main()
