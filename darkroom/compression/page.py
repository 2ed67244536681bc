"""The page of quantize: the candidates, what each is worth, and why one of them ships."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from darkroom.compression.calibration_search import Trial, best
from darkroom.compression.decision import Limits, Verdict
from darkroom.compression.latency import LARGE_BATCH, Speed
from darkroom.compression.scores import Validated
from darkroom.compression.tradeoff import Point, tradeoff_chart
from darkroom.drawing.pages import render_page
from darkroom.model.spec import ModelSpec


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
        speed: as measured.
        memory: bytes at the peak, for a batch of 32.
    """

    title: str
    file: str
    made: str
    refused: str | None
    numbers: Mapping[str, float]
    bytes: int
    speed: Speed
    memory: int


def compression_page(
    spec: ModelSpec,
    verdict: Verdict,
    validated: Validated,
    calibrators: Mapping[str, Trial],
    speeds: Mapping[str, Speed],
    memory: Mapping[str, int],
    limits: Limits,
    threads: int,
) -> str:
    """The page `index.html`. It shows measured times, so that two runs give two pages: nothing tracks it.

    Args:
        spec: of the model.
        verdict: what ships, and why.
        validated: the candidates with their numbers.
        calibrators: what each came to on training images.
        speeds: by candidate.
        memory: by candidate, bytes.
        limits: what was asked for.
        threads: with which the times were measured.
    """
    rows = [
        Row(
            each.title,
            each.file,
            each.made,
            verdict.refused.get(each.name),
            validated.numbers[each.name],
            validated.sizes[each.name],
            speeds[each.name],
            memory[each.name],
        )
        for each in validated.candidates
    ]
    chosen = next(row for row in rows if row.refused is None)
    return render_page(
        "quantize.html",
        spec=spec,
        reason=verdict.reason,
        rows=rows,
        first=rows[0],
        chosen=chosen,
        chart=tradeoff_chart(_points(rows), limits.max_accuracy_loss, limits.min_speedup),
        calibrators=calibrators,
        best=best(calibrators),
        limits=limits,
        threads=threads,
        large_batch=LARGE_BATCH,
    )


def _points(rows: Sequence[Row]) -> list[Point]:
    """The rows as points; what a candidate loses is drawn down from the accuracy of float."""
    reference = rows[0].numbers["accuracy"]
    return [
        Point(
            row.title,
            row.refused is None,
            row.speed.p50_ms,
            row.speed.p95_ms,
            row.numbers["accuracy"],
            reference - row.numbers.get("accuracy_loss_high", 0.0),
            reference - row.numbers.get("accuracy_loss_low", 0.0),
        )
        for row in rows
    ]
