"""Answers as text: a line for people, JSON lines or CSV for programs."""

import csv
import io
import json
from collections.abc import Callable

from darkroom.predict.answers import Answer, Refusal
from darkroom.sources.names import printable

# From an answer, and the file with its heat map if there is one, to a line.
Writer = Callable[[Answer | Refusal, str | None], str]


def for_people(top: int | None) -> Writer:
    """`path: label 98.1%`, followed by the next classes as far as `top`; nothing in a name can command a terminal."""

    def write(found: Answer | Refusal, heatmap: str | None) -> str:
        if isinstance(found, Refusal):
            return printable(f"{found.path}: error: {found.error}")
        shares = ", ".join(f"{label} {share:.1%}" for label, share in _ranked(found)[: top or 1])
        if found.abstains:
            shares = f"not sure ({shares}; it abstains below {found.threshold:.1%})"
        return printable(f"{found.path}: {shares}" + (f"  ({heatmap})" if heatmap else ""))

    return write


def as_json(top: int | None) -> Writer:
    """One object a line.

    `path`; `answer`, which is null where the model abstains; `label` and `confidence`, what it takes for most probable all the
    same; `abstains`; `threshold`, null where it never abstains; `probabilities`: all classes in class-list order, or
    the `top` most probable, the first one first; `heatmap` where one was asked for. Or `path` and `error`.
    """

    def write(found: Answer | Refusal, heatmap: str | None) -> str:
        if isinstance(found, Refusal):
            return json.dumps({"path": found.path, "error": found.error})
        content = {
            "path": found.path,
            "answer": None if found.abstains else found.label,
            "label": found.label,
            "confidence": found.confidence,
            "abstains": found.abstains,
            "threshold": found.threshold,
            "probabilities": dict(_ranked(found)[:top]) if top else found.probabilities,
        }
        return json.dumps(content | ({"heatmap": heatmap} if heatmap else {}))

    return write


def csv_header(top: int | None, classes: int) -> str:
    """The first line of a table."""
    ranks = range(1, min(top or 1, classes) + 1)
    return _row(
        [
            "path",
            "answer",
            "error",
            "heatmap",
            *(f"{what}_{rank}" for rank in ranks for what in ("label", "probability")),
        ]
    )


def as_csv(top: int | None) -> Writer:
    """One row an image: its path; the answer, empty where the model abstains; the error; the heat map; and the `top` most
    probable classes with their probabilities."""

    def write(found: Answer | Refusal, heatmap: str | None) -> str:
        if isinstance(found, Refusal):
            return _row([found.path, "", found.error])
        ranked = [cell for label, share in _ranked(found)[: top or 1] for cell in (label, f"{share:.7f}")]
        return _row([found.path, "" if found.abstains else found.label, "", heatmap or "", *ranked])

    return write


def _ranked(answer: Answer) -> list[tuple[str, float]]:
    """Classes and probabilities, the most probable first; of equals the one that answers, then the earlier one."""
    return sorted(answer.probabilities.items(), key=lambda item: (-item[1], item[0] != answer.label))


def _row(cells: list[str]) -> str:
    line = io.StringIO()
    # With both characters as its end of a line, the module quotes a name that has either of them.
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n")
