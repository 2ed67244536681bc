"""`make run`: check everything the user typed, bring the line up to date, and print what came of it.

    python -m flows.run --images photos.zip --preset photographs --set "train.epochs=30"

Settings are written into `params.yaml`; then it is `dvc repro`, and the run is recorded as a DVC experiment. Git's HEAD, index,
branches and stash are never touched.
"""

import argparse
import time
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import PARAMS_FILE
from darkroom.runtime.stage import user_errors
from darkroom.runtime.without_pandas import hide_pandas_from_pyarrow
from darkroom.settings.read import read_params
from darkroom.settings.write import describe_written, with_settings, write_params
from flows import dvc, experiments
from flows.lock import line_lock
from flows.overrides import chosen_settings, read_overrides
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
        DarkroomError: before anything is written, for a path or a setting that is wrong; later, when a stage stops.
    """
    overrides = read_overrides(images, settings, preset)
    # Mistakes are shown at once, and not when the run before has ended; that one may have other settings until then.
    read_params(overrides=overrides)
    stages = dvc.stages_in_order()
    with line_lock("make run"):
        params = read_params(overrides=overrides)
        chosen = chosen_settings(overrides, params)
        if overrides:
            text = PARAMS_FILE.read_text(encoding="utf-8")
            write_params(PARAMS_FILE, with_settings(text, chosen))
        marks, started = timing_marks(stages), time.monotonic()
        try:
            dvc.bring_up_to_date()
        except DarkroomError as error:
            raise DarkroomError(f"{error}\n{_written(chosen)}" if overrides else str(error)) from None
        seconds = time.monotonic() - started
        recorded = _record()
        lines = ["", *([_written(chosen)] if overrides else []), *recorded] if overrides or recorded else []
        return "\n".join([*lines, summary(stages, marks, seconds, params.evaluate.confidence)])


def _written(chosen: dict[str, Any]) -> str:
    """What `params.yaml` has now of the settings that were chosen, and how to get the committed ones back, if there are any."""
    written = describe_written(PARAMS_FILE, chosen)
    restores = "; `git checkout params.yaml` restores the committed settings"
    return written + (restores if experiments.is_committed(PARAMS_FILE) else "")


def _record() -> list[str]:
    """Record the run as an experiment, and say under which name, or why not."""
    try:
        name = experiments.record_run()
    except DarkroomError as error:
        return [f"this run is not recorded as an experiment: {error}"]
    return [f"recorded as the experiment {name}: `dvc exp show` lists it"] if name else []


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
    hide_pandas_from_pyarrow()
    end_children_on_signals()
    with user_errors():
        print(run(arguments.images, arguments.set, arguments.preset))


if __name__ == "__main__":
    main()
