"""The long fuzzing, which `make fuzz` starts: seeded, in one process, within limited memory.

    python -m tests.fuzz [--seed 0] [--scale 1.0] [--only images …]

Each attempt must be answered or refused with a reason, each file of a source accounted for, and no source changed. A fault is
printed with its number: the same seed and number repeat it.
"""

import argparse
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.fuzz.archives import fuzz_archives
from tests.fuzz.bundles import fuzz_bundles
from tests.fuzz.images import fuzz_images
from tests.fuzz.outcome import Outcome, peak_memory
from tests.fuzz.predictions import fuzz_predictions
from tests.fuzz.serving import fuzz_serving
from tests.fuzz.settings import fuzz_settings
from tests.fuzz.tables import fuzz_tables

# GiB of address space: a graph or a head that promises more is refused by the system, and that too must be a reason.
ROOM = 16


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what reads files of others.")
    parser.add_argument("--seed", type=int, default=0, help="of all damage; default 0")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of attempts; default 1")
    parser.add_argument(
        "--only", nargs="+", default=[], help="images, archives, settings, tables, bundles, predictions, serving"
    )
    options = parser.parse_args()
    # `zipfile` and `tarfile` warn of what is made on purpose here.
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (ROOM << 30, ROOM << 30))
    with tempfile.TemporaryDirectory() as name:
        faults = _run_all(Path(name), options.seed, options.scale, options.only)
    raise SystemExit(1 if faults else 0)


def _run_all(folder: Path, seed: int, scale: float, only: list[str]) -> int:
    """Print a line for each kind, and its faults; returns how many there are."""
    kinds: dict[str, tuple[Callable[[int, int, Path], Outcome], int]] = {
        "images": (fuzz_images, 2_000),
        "archives": (fuzz_archives, 1_000),
        "settings": (fuzz_settings, 1_500),
        "tables": (fuzz_tables, 600),
    }
    if not only or {"bundles", "predictions", "serving"} & set(only):
        from tests.support.line import make_line

        bundle = make_line(folder / "line") / "models/export"
        kinds["bundles"] = partial(fuzz_bundles, bundle=bundle), 300
        kinds["predictions"] = partial(fuzz_predictions, bundle=bundle), 1_000
        kinds["serving"] = partial(fuzz_serving, bundle=bundle), 3_000
    faults = 0
    for name, (fuzz, count) in kinds.items():
        if only and name not in only:
            continue
        (folder / name).mkdir()
        start, before = time.monotonic(), peak_memory()
        found = fuzz(round(count * scale), seed, folder / name)
        print(
            f"fuzz {name}: {round(count * scale):,} made; {found.answered:,} answered, {found.refused:,} refused, "
            f"{len(found.faults):,} faults; {time.monotonic() - start:.0f} s, memory +{peak_memory() - before:.0f} MiB",
            file=sys.stderr,
        )
        for fault in found.faults:
            print(f"  {fault.encode('unicode_escape').decode()}", file=sys.stderr)
        faults += len(found.faults)
    return faults


if __name__ == "__main__":
    main()
