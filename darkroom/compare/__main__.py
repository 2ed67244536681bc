"""`python -m darkroom.compare`: a summary on the terminal, the page, and all numbers as `compare.json`.

Exit status 4: the second model is significantly worse; 0: it is not; 1: an error.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from darkroom.compare.comparison import Comparison, Side, compare
from darkroom.compare.page import comparison_page
from darkroom.compare.pairs import pairs_markdown, pairs_record, read_pairs
from darkroom.compare.predictions import RevisionPredictions, revision_predictions
from darkroom.compare.rescoring import rescored_revisions
from darkroom.compare.text import to_markdown
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.stage import user_errors

OUT = Path("reports/compare")
PAGE, RECORD = "index.html", "compare.json"
DIGITS = 6
# Exit status where the second model is significantly worse; `darkroom.gate` rejects with it.
WORSE = 4


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.compare", description="Compare two models on the test images that both predicted."
    )
    parser.add_argument(
        "before",
        metavar="REV_A",
        help="a git revision, or `workspace`; or a table that the service wrote of a candidate",
    )
    parser.add_argument("after", metavar="REV_B", nargs="?", help="a git revision, or `workspace`")
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="FOLDER", help=f"for the page and its numbers; default {OUT}"
    )
    parser.add_argument(
        "--rescore",
        action="store_true",
        help="have both bundles predict the test images of REV_B, from their bytes, with the labels of today",
    )
    options = parser.parse_args(arguments)
    with user_errors():
        _require_own_folder(options.out)
        if options.after is None:
            _compare_pairs(options.before, options.out)
            return
        read = rescored_revisions if options.rescore else _evaluated_revisions
        before, after = read(options.before, options.after)
        found = compare(before, after)
        with whole_folder(options.out) as folder:
            write_json(folder / RECORD, to_record(found, before, after))
            (folder / PAGE).write_text(comparison_page(found, before, after), encoding="utf-8")
        print(to_markdown(found), end="")
        print(f"\nThe page: {options.out / PAGE}")
    if found.differs and found.accuracy.value < 0:
        raise SystemExit(WORSE)


def _evaluated_revisions(before: str, after: str) -> tuple[RevisionPredictions, RevisionPredictions]:
    """The predictions that both revisions have of their own test images."""
    return revision_predictions(before), revision_predictions(after)


def _compare_pairs(table: str, out: Path) -> None:
    """The table of a candidate, on images without labels: a summary, and all numbers as `compare.json`."""
    if not table.endswith(".csv"):
        raise DarkroomError(f"give a second revision to compare {table} with, or a table of pairs alone (.csv)")
    pairs = read_pairs(Path(table))
    with whole_folder(out) as folder:
        write_json(folder / RECORD, _rounded(pairs_record(pairs)))
    print(pairs_markdown(pairs), end="")
    print(f"\nAll numbers: {out / RECORD}")


def _require_own_folder(out: Path) -> None:
    """Refuse, before any work, to replace a folder that holds anything but an earlier comparison."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise DarkroomError(f"can't write to {out}: it is a {'link' if out.is_symlink() else 'file'}; give a folder")
    others = sorted(path.name for path in out.iterdir() if path.name not in (PAGE, RECORD)) if out.exists() else []
    if others:
        raise DarkroomError(
            f"{out} holds other files ({others[0]} and {len(others) - 1:,} more): give a folder of its own"
        )


def to_record(found: Comparison, before: RevisionPredictions, after: RevisionPredictions) -> dict[str, Any]:
    """All numbers of the page, rounded to a millionth, and every image that flipped.

    Args:
        found: the comparison.
        before, after: what was compared, for its provenance.
    """
    shared, names = found.shared, found.shared.classes.names

    def flips(rows: list[int]) -> list[dict[str, Any]]:
        return [
            {
                "id": shared.ids[row],
                "path": shared.paths[row],
                "label": names[shared.labels[row]],
                **{
                    side: {
                        "predicted": names[probabilities[row].argmax()],
                        "confidence": float(probabilities[row].max()),
                    }
                    for side, probabilities in (("before", shared.before), ("after", shared.after))
                },
            }
            for row in rows
        ]

    content = {
        "before": _side(found.before, before),
        "after": _side(found.after, after),
        "confidence": found.level,
        "images": found.images,
        "only_before": len(shared.only_before),
        "only_after": len(shared.only_after),
        "accuracy": asdict(found.accuracy) | {"p": found.p, "differs": found.differs},
        "macro_f1": asdict(found.macro_f1),
        "loss": asdict(found.loss),
        "both_correct": found.both_correct,
        "both_wrong": found.both_wrong,
        "other_mistake": found.other_mistake,
        "classes": [asdict(each) for each in found.classes],
        "lost": flips(found.lost.tolist()),
        "won": flips(found.won.tolist()),
    }
    rounded: dict[str, Any] = _rounded(content)
    return rounded


def _side(side: Side, predictions: RevisionPredictions) -> dict[str, Any]:
    return {"revision": side.name, "provenance": predictions.provenance} | {
        name: value for name, value in asdict(side).items() if name != "name"
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
