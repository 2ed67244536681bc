"""A comparison as plain values, for `compare.json`."""

from dataclasses import asdict
from typing import Any

from darkroom.compare.comparison import Comparison, Side
from darkroom.compare.scored import Scored

DIGITS = 6


def to_record(found: Comparison, before: Scored, after: Scored) -> dict[str, Any]:
    """All numbers of the page, rounded to a millionth, and every image that flipped.

    Args:
        found: what came out.
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
                    side: {"predicted": names[answers[row].argmax()], "confidence": float(answers[row].max())}
                    for side, answers in (("before", shared.before), ("after", shared.after))
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
        "both_right": found.both_right,
        "both_wrong": found.both_wrong,
        "other_mistake": found.other_mistake,
        "classes": [asdict(each) for each in found.classes],
        "lost": flips(found.lost.tolist()),
        "won": flips(found.won.tolist()),
    }
    rounded: dict[str, Any] = _rounded(content)
    return rounded


def _side(side: Side, scored: Scored) -> dict[str, Any]:
    return {"revision": side.name, "provenance": scored.provenance} | {
        name: value for name, value in asdict(side).items() if name != "name"
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) else value
