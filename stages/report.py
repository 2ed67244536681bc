"""Draw the pages of the line from what its stages wrote: JSON, tables and pixels. No network runs.

Reads: reports/train/, reports/evaluate/, data/predict/, data/preprocess/, models/train/model.json.
Writes: reports/train/index.html, reports/evaluate/report.html.
Costs: seconds. `python -m stages.report PAGE…` draws some of the pages: train, evaluate.
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
        page = root / paths.PAGES[name]
        with whole_file(page) as file:
            file.write_text(DRAW[name](root), encoding="utf-8")
        print(f"report: {page}")


# Each imports what it draws with: who draws one page does not wait for the others.
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


DRAW: dict[str, Callable[[Path], str]] = {"train": _train, "evaluate": _evaluate}


def main() -> None:
    with stage("report"):
        run(root=Path(), pages=sys.argv[1:] or list(DRAW))


if __name__ == "__main__":
    main()
