"""What a training spent for the accuracies that it reached, for `benchmarks.time_to_accuracy`."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.rounds import print_table


class Spent(NamedTuple):
    """Seconds, and CPU seconds (user and system) of all threads of this process."""

    seconds: float
    cpu: float


class Clock:
    """What was spent since it was made, but for what is left out."""

    def __init__(self) -> None:
        self._start = Spent(time.perf_counter(), time.process_time())

    def now(self) -> Spent:
        """Since the start."""
        return Spent(time.perf_counter() - self._start.seconds, time.process_time() - self._start.cpu)

    def leave_out(self, since: Spent) -> None:
        """What was spent since then does not count."""
        now = self.now()
        self._start = Spent(self._start.seconds + now.seconds - since.seconds, self._start.cpu + now.cpu - since.cpu)


@dataclass
class Course:
    """How a training went.

    Attributes:
        spent: at the end of each epoch.
        accuracies: of the test images then.
        kept: that of what training kept in the end.
    """

    spent: list[Spent] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    kept: float = 0.0

    def until(self, wanted: float) -> Spent | None:
        """Up to the end of the first epoch with the wanted accuracy; None where there was none."""
        return next((at for at, found in zip(self.spent, self.accuracies, strict=True) if found >= wanted), None)


def spread(values: Sequence[float], form: str) -> str:
    """Mean and standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):{form}} ± {deviation:{form}}"


def tell(name: str, courses: Mapping[int, Course], wanted: Sequence[float]) -> None:
    """Print the course of each seed, and the means."""
    rows = []
    for seed, course in courses.items():
        reached = [_text(course.until(share)) for share in wanted]
        best, kept = f"{max(course.accuracies):.2%}", f"{course.kept:.2%}"
        rows.append((str(seed), *reached, best, kept, _text(course.spent[-1])))
    print(f"{name}: seconds (CPU seconds)\n")
    print_table(("seed", *(f"to {share:.1%}" for share in wanted), "best", "kept", "to its end"), rows)
    print(f"\nkept: {spread([course.kept for course in courses.values()], '.2%')}")
    for share in wanted:
        found = [at for course in courses.values() if (at := course.until(share)) is not None]
        if found:
            seconds, cpu = (spread(values, ".1f") for values in zip(*found, strict=True))
            print(f"to {share:.1%}: {seconds} s, {cpu} CPU s, {len(found)} of {len(courses)} seeds")
    for course in courses.values():
        epochs = zip(course.spent, course.accuracies, strict=True)
        print("course: " + ", ".join(f"{at.seconds:.0f} s ({at.cpu:.0f}) {found:.2%}" for at, found in epochs))
    print(flush=True)


def _text(spent: Spent | None) -> str:
    return "never" if spent is None else f"{spent.seconds:,.1f} s ({spent.cpu:,.1f})"
