"""Speed and fidelity of the three decoders behind `darkroom.images.decode.decode`: the measurement behind the default.

Measures, for the JPEGs of each source: images a second of turbo, opencv and pillow, on one thread and on two, at full size
in colour and reduced to a shorter side of 128 in grey (what ingest does); how many pictures come out equal to turbo's; and
how many of the files that were cut short or overwritten in the middle each decoder refuses. The ceiling is libjpeg-turbo
itself (simplejpeg) at full size. The files are in memory; nothing is read or written while time runs.

    python -m benchmarks.decoders ZIP_OR_FOLDER...
"""

import argparse
import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import simplejpeg

from benchmarks.pictures import read_pictures
from benchmarks.rounds import Contestant, in_turns, print_table, rates, timed
from darkroom.images.decode import UnreadableImage, decode
from darkroom.images.measure import MEASURED_SIDE

DECODERS = ("turbo", "opencv", "pillow")
CEILING = "libjpeg-turbo alone"
# The least shorter side to decode to; a reduced picture is wanted in grey.
WAYS = {"full size, colour": None, f"{MEASURED_SIDE} px, grey": MEASURED_SIDE}
# What ingest hands to a thread at a time.
BATCH = 64
# Bytes overwritten in the middle of a file.
WOUND = 64


def decode_all(files: list[bytes], threads: int, one: Callable[[bytes], object]) -> None:
    """Open all files, in batches on so many threads."""
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]

    def few(batch: list[bytes]) -> None:
        for data in batch:
            one(data)

    if threads == 1:
        for batch in batches:
            few(batch)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(few, batches))


def speed(files: list[bytes], rounds: int) -> None:
    """Print images a second of each decoder."""
    contestants: dict[str, Contestant] = {}
    for threads in (1, 2):
        for way, side in WAYS.items():
            for decoder in DECODERS:
                one = functools.partial(decode, decoder=decoder, least_side=side, grey=side is not None)
                name = f"{decoder} | {way} | {threads}"
                contestants[name] = timed(functools.partial(decode_all, files, threads, one))
        name = f"{CEILING} | full size, colour | {threads}"
        contestants[name] = timed(functools.partial(decode_all, files, threads, simplejpeg.decode_jpeg))
    found = rates(in_turns(contestants, rounds), len(files))
    columns = list(dict.fromkeys(name.partition(" | ")[2] for name in found))
    rows = []
    for decoder in (*DECODERS, CEILING):
        values = [found.get(f"{decoder} | {column}") for column in columns]
        rows.append((decoder, *("" if value is None else f"{value:,.0f}" for value in values)))
    print_table(("img/s", *(f"{column.replace(' | ', ', ')} thread(s)" for column in columns)), rows)


def fidelity(files: list[bytes]) -> None:
    """Print how far each decoder's pixels are from turbo's."""
    rows = []
    for way, side in WAYS.items():
        for decoder in DECODERS[1:]:
            equal, difference, shapes = 0, 0.0, 0
            for data in files:
                first = decode(data, "turbo", side, side is not None).pixels
                second = decode(data, decoder, side, side is not None).pixels
                if first.shape != second.shape:
                    shapes += 1
                    continue
                equal += np.array_equal(first, second)
                difference += float(np.abs(first.astype(np.int16) - second).mean())
            mean = difference / max(1, len(files) - shapes)
            rows.append((f"{decoder}, {way}", f"{equal:,} of {len(files):,}", f"{mean:.3f}", f"{shapes:,}"))
    print_table(("beside turbo", "equal pictures", "mean difference of 255", "reduced to another size"), rows)


def damage(files: list[bytes], count: int) -> None:
    """Print how many damaged files each decoder refuses."""
    random = np.random.default_rng(0)
    chosen = [files[index] for index in random.integers(0, len(files), count)]
    shares = random.uniform(0.3, 0.95, count)
    truncated = [data[: int(len(data) * share)] for data, share in zip(chosen, shares, strict=True)]
    overwritten = []
    for data in chosen:
        middle = len(data) // 2
        overwritten.append(data[:middle] + random.bytes(WOUND) + data[middle + WOUND :])
    rows = []
    for name, damaged in (("cut short", truncated), (f"{WOUND} bytes in the middle overwritten", overwritten)):
        for way, side in WAYS.items():
            with libjpeg_silenced():
                refused = [sum(_refuses(data, decoder, side) for data in damaged) for decoder in DECODERS]
            rows.append((f"{name}; {way}", *(f"{number:,} of {count:,}" for number in refused)))
    print_table(("refused", *DECODERS), rows)


@contextmanager
def libjpeg_silenced() -> Iterator[None]:
    """Without the warnings that OpenCV's libjpeg writes straight to the process's stderr, one for each damaged file."""
    stderr, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nothing)


def _refuses(data: bytes, decoder: str, side: int | None) -> bool:
    try:
        decode(data, decoder, side, side is not None)
    except UnreadableImage:
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoders", description=__doc__)
    parser.add_argument("sources", nargs="+", type=Path, metavar="ZIP_OR_FOLDER")
    parser.add_argument("--images", type=int, default=2_000, help="of each source at most, evenly spaced (2,000)")
    parser.add_argument("--damaged", type=int, default=500, help="damaged files of each kind (500)")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    for source in chosen.sources:
        files = [data for _, data in read_pictures(source, chosen.images) if data[:3] == b"\xff\xd8\xff"]
        size = sum(map(len, files)) / len(files) / 1e3
        print(f"{source.name}: {len(files):,} JPEGs, {size:,.1f} kB each on average\n")
        speed(files, chosen.rounds)
        fidelity(files)
        damage(files, chosen.damaged)


if __name__ == "__main__":
    main()
