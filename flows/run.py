"""`make run`: check everything the user typed, bring the line up to date, and print what came of it.

    python -m flows.run --images photos.zip --preset photographs --set "train.epochs=30"

Without any of them it is `dvc repro`; with them, `dvc exp run -S`.
"""

import argparse
import time
from collections.abc import Sequence

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import PARAMS_FILE, read_params
from flows import dvc
from flows.overrides import read_overrides, to_hydra
from flows.processes import end_children_on_signals
from flows.summary import summary, timing_marks


def run(images: str, settings: str, preset: str = "") -> str:
    """Bring the line up to date with these settings.

    Args:
        images: a folder, an archive or a table of images, or nothing.
        settings: `section.key=value` separated by blanks, or nothing.
        preset: the name of a file in `presets/`, or nothing.

    Returns:
        What to print at the end.

    Raises:
        DarkroomError: before any work, for a path or a setting that is wrong; later, when a stage stops.
    """
    overrides = read_overrides(images, settings, preset)
    params = read_params(overrides=overrides)
    stages = dvc.stages_in_order()
    marks = timing_marks(stages)
    started = time.monotonic()
    if overrides:
        try:
            dvc.run_experiment(to_hydra(overrides, params))
        except DarkroomError as error:
            raise DarkroomError(f"{error}\n{_kept(overrides)}") from None
        finally:
            # DVC rewrites the file and git's index in the same moment; where the length is the same, git would take it for
            # unchanged, and `git checkout params.yaml` would do nothing.
            PARAMS_FILE.touch()
        print(f"\n{_kept(overrides)}")
    else:
        dvc.bring_up_to_date()
    return summary(stages, marks, time.monotonic() - started, params.evaluate.confidence)


def _kept(overrides: Sequence[str]) -> str:
    return f"params.yaml keeps {' '.join(overrides)}; `git checkout params.yaml` brings back the committed settings"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.run", description="Bring the line up to date.")
    parser.add_argument(
        "--images",
        default="",
        metavar="PATH",
        help="a folder, an archive (zip, tar) or a table (CSV, Parquet) of images",
    )
    parser.add_argument("--set", default="", metavar="SETTINGS", help='"section.key=value …"')
    parser.add_argument("--preset", default="", metavar="NAME", help="a file of presets/, without its suffix")
    arguments = parser.parse_args()
    end_children_on_signals()
    with user_errors():
        print(run(arguments.images, arguments.set, arguments.preset))


if __name__ == "__main__":
    main()
