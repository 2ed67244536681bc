"""The page of quantize: the candidates, what each is worth, and why one of them ships."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.compression.tradeoff import Point, tradeoff_chart
from darkroom.drawing.pages import render_page
from darkroom.model.spec import load_spec
from darkroom.runtime.inputs import read_input_json

# What `verdict.json` must have, by type.
DECISION: dict[str, type | tuple[type, ...]] = {"candidates": dict, "limits": dict, "not_made": str, "reason": str}


@dataclass(frozen=True)
class Row:
    """One candidate of the table.

    Attributes:
        title: its name for people.
        file: its file name.
        made: how it was made.
        refused: why it does not ship; None for the chosen one.
        numbers: of validation, as `metrics.json` names them.
        bytes: of the file.
        speed: as measured, by the names of `darkroom.compression.benchmark.Speed`.
        memory: bytes at the peak, for a large batch.
    """

    title: str
    file: str
    made: str
    refused: str | None
    numbers: Mapping[str, float]
    bytes: int
    speed: Mapping[str, float]
    memory: int


def times_missing(*, quantized: Path, timings: Path) -> bool:
    """Whether the measured times, which nothing tracks, are not there, or are of other candidates: of another machine's run.

    Args:
        quantized: the folder with the decision.
        timings: the file with the measured times.
    """
    if not timings.exists():
        return True
    decision, measured = (
        read_input_json(quantized / "verdict.json", DECISION),
        read_input_json(timings, {"candidates": dict}),
    )
    return list(measured["candidates"]) != list(decision["candidates"])


def compression_page(*, quantized: Path, timings: Path, model: Path) -> str:
    """The page `index.html`. It shows measured times, so that two runs give two pages: nothing tracks it.

    Args:
        quantized: the folder with the decision.
        timings: the file with the measured times.
        model: the folder with `model.json`.
    """
    decision, measured = (
        read_input_json(quantized / "verdict.json", DECISION),
        read_input_json(timings, {"candidates": dict}),
    )
    rows = [_row(candidate, measured["candidates"][name]) for name, candidate in decision["candidates"].items()]
    limits = decision["limits"]
    return render_page(
        "quantize.html",
        spec=load_spec(model / "model.json"),
        reason=decision["reason"],
        rows=rows,
        first=rows[0],
        chosen=next(row for row in rows if row.refused is None),
        chart=tradeoff_chart(_points(rows), limits["max_accuracy_loss"], limits["min_speedup"]),
        calibrators=decision["calibrators"],
        best=decision["calibrator"],
        limits=limits,
        not_made=decision["not_made"],
        threads=measured["threads"],
        large_batch=measured["batch"],
    )


def _row(candidate: Mapping[str, Any], measured: Mapping[str, Any]) -> Row:
    numbers = {name: value for name, value in candidate.items() if name.startswith(("accuracy", "label_"))}
    facts = {name: candidate[name] for name in ("title", "file", "made", "refused", "bytes")}
    speed = {name: value for name, value in measured.items() if name != "peak_memory"}
    return Row(**facts, numbers=numbers, speed=speed, memory=measured["peak_memory"])


def _points(rows: Sequence[Row]) -> list[Point]:
    """The rows as points; what a candidate loses is drawn down from the accuracy of float."""
    reference = rows[0].numbers["accuracy"]
    return [
        Point(
            row.title,
            row.refused is None,
            row.speed["p50_ms"],
            row.speed["p95_ms"],
            row.numbers["accuracy"],
            reference - row.numbers.get("accuracy_loss_high", 0.0),
            reference - row.numbers.get("accuracy_loss_low", 0.0),
        )
        for row in rows
    ]
