"""The page of the monitor: one sentence, the evidence over time, what each score does, and what to do."""

import numpy as np

from darkroom.drawing.axis import Axis
from darkroom.drawing.chart import Chart, Line, Mark, Rule
from darkroom.drawing.pages import render_page
from darkroom.monitor.status import WEAKNESS, Status
from darkroom.monitoring.stream import Stream

# Classes of the table: those whose share moved most.
CLASSES = 20


def monitor_page(status: Status, stream: Stream) -> str:
    """One offline page.

    Args:
        status: what was found.
        stream: for the course of the evidence.
    """
    moved = sorted(status.classes, key=lambda each: -abs(each[2] - each[1]))
    return render_page(
        "monitor.html",
        status=status,
        chart=_evidence(status, stream) if len(stream.history) else None,
        moved=moved[:CLASSES],
        weakness=WEAKNESS,
        largest=max((row.evidence for row in status.scores), default=0.0),
    )


def _evidence(status: Status, stream: Stream) -> Chart:
    """The level over the images, and the run length at which it is an alarm."""
    images = np.append(stream.history[:, 0], stream.images)
    levels = np.append(stream.history[:, 2], max(stream.highest, status.level))
    high = status.run_length * 100
    marks: list[Mark] = [
        Rule(status.run_length, "accent dashed", "alarm", level=True),
        Line(images, np.clip(levels, 1, high), "ink", "evidence"),
    ]
    if stream.alarm:
        marks.append(
            Rule(
                stream.alarm.since, "cold dotted", "the shift begins", text=(status.since or "")[:16].replace("T", " ")
            )
        )
    note = (
        f"without a shift it reaches {status.run_length:,.0f} once in so many images or less often; "
        f"{stream.tested:,} of {stream.images:,} images are tested"
    )
    across = Axis("images", 0, max(1, stream.images), whole=True)
    return Chart("Evidence of a shift", note, across, _evidence_axis(high), marks)


def _evidence_axis(high: float) -> Axis:
    """Lettered at every second power of ten."""
    powers = range(0, int(np.log10(high)) + 1, 2)
    superscript = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    ticks = [(10.0**power, f"10{str(power).translate(superscript)}" if power else "1") for power in powers]
    return Axis("evidence", 1, high, log=True, ticks=ticks)
