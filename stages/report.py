"""Draw the pages of the line from what its stages wrote: JSON, tables and pixels. No network runs.

Reads: data/ingest/, data/split/excluded.json, reports/validate/, reports/changes/, models/select/, reports/train/,
    reports/evaluate/, data/predict/, data/preprocess/, models/train/model.json, models/quantize/verdict.json, and the times
    that quantize measured, in reports/timings/.
Writes: reports/validate/index.html, great_expectations.html; reports/train/index.html, reports/evaluate/report.html;
    and reports/changes/index.html and reports/quantize/index.html, which no tool tracks.
Costs: seconds. `python -m stages.report PAGE…` draws some of them: validate, great_expectations, changes, train, evaluate,
    quantize.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from darkroom.runtime import paths
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file
from darkroom.runtime.stage import stage
from darkroom.runtime.without_pandas import hide_pandas_from_pyarrow


def run(*, root: Path, pages: Sequence[str]) -> None:
    """Draw pages.

    Args:
        root: the folder that holds data/, models/ and reports/.
        pages: which, by the names of the stages that they show.

    Raises:
        DarkroomError: when there is no such page, or what one shows is missing or does not belong together.
    """
    unknown = [name for name in pages if name not in DRAW]
    if unknown:
        raise DarkroomError(f"there is no page of {unknown[0]}: the pages are {', '.join(DRAW)}")
    for name in pages:
        text, page = DRAW[name](root), root / PAGES[name]
        if text is not None:
            with whole_file(page) as file:
                file.write_text(text, encoding="utf-8")
            print(f"report: {page}")


# DVC does not track these: the shift since the last commit is of one clone alone, and measured times are of one machine.
PAGES = paths.PAGES | {"changes": paths.CHANGES / "index.html", "quantize": paths.QUANTIZE_REPORTS / "index.html"}


# Each imports what it draws with: who draws one page does not wait for the others.
def _validate(root: Path) -> str:
    from darkroom.checks.page import validation_page

    return validation_page(
        ingest=root / paths.INGEST, validated=root / paths.VALIDATE_REPORTS, cache=root / paths.IMAGE_CACHE
    )


def _great_expectations(root: Path) -> str:
    from darkroom.checks.page import great_expectations_page

    return great_expectations_page(validated=root / paths.VALIDATE_REPORTS)


def _changes(root: Path) -> str:
    from darkroom.checks.page import changes_page

    return changes_page(changes=root / paths.CHANGES)


def _train(root: Path) -> str:
    from darkroom.selection.choice import read_choice
    from darkroom.training.page import training_page

    return training_page(training=root / paths.TRAIN_REPORTS, selection=asdict(read_choice(root / paths.SELECTION)))


def _evaluate(root: Path) -> str:
    from darkroom.evaluation.page import evaluation_page

    return evaluation_page(
        evaluated=root / paths.EVALUATE_REPORTS,
        predicted=root / paths.PREDICTIONS,
        arrays=root / paths.ARRAYS,
        excluded=root / paths.EXCLUDED_IMAGES,
        model=root / paths.MODEL,
        training=root / paths.TRAIN_REPORTS,
    )


def _quantize(root: Path) -> str | None:
    from darkroom.compression.page import compression_page, times_missing

    quantized, timings = root / paths.QUANTIZED, root / paths.TIMINGS / "quantize_latency.json"
    if times_missing(quantized=quantized, timings=timings):
        print(f"report: {timings} has no times of these candidates; `dvc repro -f -s quantize` measures them here")
        return None
    return compression_page(quantized=quantized, timings=timings, model=root / paths.MODEL)


DRAW: dict[str, Callable[[Path], str | None]] = {
    "validate": _validate,
    "great_expectations": _great_expectations,
    "changes": _changes,
    "train": _train,
    "evaluate": _evaluate,
    "quantize": _quantize,
}


def main() -> None:
    with stage("report"):
        # What validate asks for, which is drawn without pandas.
        if set(sys.argv[1:]) == {"validate", "great_expectations", "changes"}:
            hide_pandas_from_pyarrow()
        # All that DVC tracks, and the one with the measured times; that of the changes is of validate's last look at git.
        run(root=Path(), pages=sys.argv[1:] or [*paths.PAGES, "quantize"])


if __name__ == "__main__":
    main()
