"""`python -m darkroom.monitor`: whether what the service answers has shifted, in one sentence, a page, and `status.json`.

    python -m darkroom.monitor                    # the log of params.yaml, and the bundle that serves
    python -m darkroom.monitor --accept-baseline  # what came since the shift is usual from now on

Reads: the prediction log, params.yaml, and the bundle: models/serving/current where there is one, else models/export.
Writes: .darkroom/monitor/, reports/monitor/index.html and status.json.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from darkroom.monitor.watch import REPORTS, default_bundle, watch
from darkroom.monitoring.log_copy import local_log
from darkroom.runtime.stage import user_errors
from darkroom.settings.base import read_section
from darkroom.settings.monitor import Monitor


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.monitor", description="Look for shifts in what a service answers."
    )
    parser.add_argument(
        "log", nargs="?", help="the prediction log, a folder or a URL; default: monitor.log of params.yaml"
    )
    parser.add_argument("--bundle", type=Path, help="whose answers; default: models/serving/current, or models/export")
    parser.add_argument(
        "--accept-baseline",
        action="store_true",
        help="take the images since the shift, or the last ones, as usual from now on",
    )
    options = parser.parse_args(arguments)
    with user_errors():
        settings = read_section(Monitor)
        status = watch(
            local_log(options.log or settings.log),
            options.bundle or default_bundle(),
            settings.run_length,
            accept=options.accept_baseline,
        )
        print(status.sentence)
        if status.kind:
            print(f"{status.kind.name}: {status.advice}")
        print(f"page: {REPORTS / 'index.html'}")


if __name__ == "__main__":
    main()
