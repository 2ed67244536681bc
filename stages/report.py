"""Draw the pages of the line from what its stages wrote: JSON, tables and pixels. No network runs.

Reads: data/ingest/, reports/validate/, reports/changes/, reports/train/, reports/evaluate/, data/predict/, data/preprocess/,
    models/train/model.json.
Writes: reports/validate/index.html, great_expectations.html; reports/changes/index.html, which no tool tracks;
    reports/train/index.html, reports/evaluate/report.html.
Costs: seconds. `python -m stages.report PAGE…` draws some of them: validate, great_expectations, changes, train, evaluate.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from darkroom.runtime import paths
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file
from darkroom.runtime.stage import stage


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
        page = root / PAGES[name]
        with whole_file(page) as file:
            file.write_text(DRAW[name](root), encoding="utf-8")
        print(f"report: {page}")


# The shift since the last commit is of one clone alone, so DVC does not track its page.
PAGES = paths.PAGES | {"changes": paths.CHANGES / "index.html"}


# Each imports what it draws with: who draws one page does not wait for the others.
def _validate(root: Path) -> str:
    from darkroom.checks.page import validation_page

    return validation_page(ingest=root / paths.INGEST, validated=root / paths.VALIDATE_REPORTS)


def _great_expectations(root: Path) -> str:
    from darkroom.checks.page import great_expectations_page

    return great_expectations_page(validated=root / paths.VALIDATE_REPORTS)


def _changes(root: Path) -> str:
    from darkroom.checks.page import changes_page

    return changes_page(changes=root / paths.CHANGES)


def _train(root: Path) -> str:
    from darkroom.training.page import training_page

    return training_page(training=root / paths.TRAIN_REPORTS)


def _evaluate(root: Path) -> str:
    from darkroom.evaluation.page import evaluation_page

    return evaluation_page(
        evaluated=root / paths.EVALUATE_REPORTS,
        predicted=root / paths.PREDICTIONS,
        arrays=root / paths.ARRAYS,
        model=root / paths.MODEL,
        training=root / paths.TRAIN_REPORTS,
    )


DRAW: dict[str, Callable[[Path], str]] = {
    "validate": _validate,
    "great_expectations": _great_expectations,
    "changes": _changes,
    "train": _train,
    "evaluate": _evaluate,
}


def main() -> None:
    with stage("report"):
        run(root=Path(), pages=sys.argv[1:] or list(paths.PAGES))


if __name__ == "__main__":
    main()
