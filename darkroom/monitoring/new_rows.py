"""The rows of a prediction log that were not read before, however its parts grow, come late, or lose rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from darkroom.monitoring.prediction_log import log_parts, read_part
from darkroom.runtime.arrays import Int64s
from darkroom.runtime.seeding import seed_of

# Parts that are known one by one; of older ones only how far they were read.
MOST_PARTS = 256


@dataclass
class Marks:
    """How far a log was read, by time, so that rows which `forget` removes change nothing.

    Attributes:
        parts: hash of the name of a part → its bytes when it was read, and the time of its last row, in microseconds.
        floor: the time of the last row of the parts that are no more in `parts`.
    """

    parts: dict[int, tuple[int, int]] = field(default_factory=dict)
    floor: int = 0

    def arrays(self) -> dict[str, Any]:
        """For the state."""
        sizes = [self.parts[part] for part in self.parts]
        return {
            "parts": np.array(list(self.parts), np.uint64),
            "part_marks": np.array(sizes, np.int64).reshape(-1, 2),
            "floor": np.int64(self.floor),
        }

    @classmethod
    def of(cls, arrays: dict[str, Any]) -> "Marks":
        """From the state."""
        marks = [(int(size), int(time)) for size, time in arrays["part_marks"].tolist()]
        return cls(dict(zip(arrays["parts"].tolist(), marks, strict=True)), int(arrays["floor"]))

    def after(self, part: int) -> int:
        """The time up to which the rows of a part are known."""
        return self.parts[part][1] if part in self.parts else self.floor

    def read(self, part: int, size: int, last: int) -> None:
        """A part was read up to a time."""
        self.parts.pop(part, None)
        self.parts[part] = (size, last)
        while len(self.parts) > MOST_PARTS:
            oldest = min(self.parts, key=lambda each: self.parts[each][1])
            self.floor = max(self.floor, self.parts.pop(oldest)[1])


def new_rows(folder: Path, marks: Marks) -> Iterator[pa.Table]:
    """New rows, a table for each part that has some, oldest part first; `marks` moves when the next one is asked for.

    Args:
        folder: of the log.
        marks: how far it was read; changed.

    Raises:
        DarkroomError: when there is no such folder, or a part is damaged.
    """
    for path in log_parts(folder):
        # Its stem stays when a part of JSON lines becomes Parquet.
        part = seed_of(path.stem)
        try:
            size = path.stat().st_size
            if marks.parts.get(part, (-1, 0))[0] == size:
                continue
            table = read_part(path)
        except FileNotFoundError:
            continue
        times = row_times(table)
        known = marks.after(part)
        new = table.filter(pa.array(times > known))
        if new.num_rows:
            yield new
        marks.read(part, size, max(int(times.max()) if len(times) else 0, known))


def row_times(table: pa.Table) -> Int64s:
    """Microseconds in UTC, int64 [N]."""
    return np.asarray(table["time"].cast(pa.int64()).to_numpy(), np.int64)
