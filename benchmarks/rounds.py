"""Contestants run in turns, so that a busy moment of the machine meets all of them; medians, in plain tables."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

# Runs once, and says how many seconds counted.
Contestant = Callable[[], float]


def timed(work: Callable[[], object]) -> Contestant:
    """A contestant of which every second counts."""

    def once() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return once


def in_turns(
    contestants: Mapping[str, Contestant], rounds: int, fewer: Mapping[str, int] | None = None
) -> dict[str, list[float]]:
    """Seconds of each contestant, a number for each round.

    A first round warms caches, imports and worker processes, and does not count. Each round starts with another contestant.

    Args:
        contestants: by name.
        rounds: that count.
        fewer: rounds of the slow ones.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        contestants[name]()
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            if number < (fewer or {}).get(name, rounds):
                seconds[name].append(contestants[name]())
    return seconds


def rates(seconds: Mapping[str, Sequence[float]], images: int) -> dict[str, float]:
    """Images a second by the median of the rounds."""
    return {name: images / statistics.median(values) for name, values in seconds.items()}


def rate_rows(
    seconds: Mapping[str, Sequence[float]], images: int, ours: str, ceiling: str
) -> list[tuple[str, str, str, str, str]]:
    """A row for each contestant: name, images a second, their range over the rounds, ours beside it, share of the ceiling."""
    found = rates(seconds, images)
    rows = []
    for name, rate in found.items():
        spread = f"{images / max(seconds[name]):,.0f} to {images / min(seconds[name]):,.0f}"
        beside = "" if name in (ours, ceiling) else f"{found[ours] / rate:.2f}x"
        rows.append((name, f"{rate:,.0f}", spread, beside, f"{rate / found[ceiling]:.0%}"))
    return rows


RATE_HEADER = ("", "img/s", "over the rounds", "ours is", "of the ceiling")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their longest text, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print(flush=True)
