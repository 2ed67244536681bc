"""Work on all cores, with results in order and a bounded number of them, and of bytes, waiting."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from darkroom.runtime.executor import own_threads

Item = TypeVar("Item")
Result = TypeVar("Result")

# Results that may wait for each core; joblib's generator runs ahead of a slow consumer without bound.
AHEAD = 4
# Bytes that may be in work or waiting, whatever the number of cores: with 8 of them and photographs of 3 MB before a slow
# taker it were 1.6 GB without. A larger item is alone.
BYTES_IN_FLIGHT = 256 << 20
# A batch ends at either: enough to make the hand-over cheap, few enough for memory.
BATCH, BATCH_BYTES = 16, 4 << 20


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    size: Callable[[Item], int] | None = None,
    threads: int | None = None,
) -> Iterator[Result]:
    """The result for each item, in the order given. The caller's thread iterates over the items, and only when there is room.

    Threads, not processes: decoding a photograph frees the interpreter, and its bytes need not be copied.

    Args:
        work: what a thread does with an item.
        items: one after the other.
        size: the bytes that an item and its result hold, about; None where they are few.
        threads: how many, where the work is to wait for a network; None: `own_threads`.
    """
    count = threads or own_threads()
    waiting: deque[tuple[Future[Result], int]] = deque()
    in_flight = 0
    pool = ThreadPoolExecutor(count)
    try:
        for item in items:
            held = size(item) if size else 0
            while waiting and (len(waiting) >= AHEAD * count or in_flight + held > BYTES_IN_FLIGHT):
                future, released = waiting.popleft()
                in_flight -= released
                yield future.result()
            waiting.append((pool.submit(work, item), held))
            in_flight += held
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_batches(items: Iterable[Item], size: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Divide items into lists of at most `BATCH`, and of about `BATCH_BYTES` where that is fewer.

    Args:
        items: one after the other.
        size: the bytes of an item.
    """
    batch: list[Item] = []
    held = 0
    for item in items:
        batch.append(item)
        held += size(item)
        if len(batch) == BATCH or held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
