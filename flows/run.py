"""`make run`: check everything the user typed, bring the line up to date, and print what came of it.

    python -m flows.run --images photos.zip --preset photographs --set "train.epochs=30"

Settings are written into `params.yaml`; then it is `dvc repro`, and the run is recorded as a DVC experiment. Git's HEAD, index,
branches and stash are never touched.
"""

import argparse
import json
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.base import PARAMS_FILE
from darkroom.settings.read import Params, read_params
from darkroom.settings.write import describe_written, with_settings, write_params
from darkroom.settings.yaml_file import read_file
from darkroom.sources.registry import detect_kind
from flows import dvc, experiments
from flows.processes import end_children_on_signals
from flows.summary import summary, timing_marks

PRESETS = Path("presets")
SOURCE_KEYS = ("ingest.source", "ingest.path")


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
    params = read_params(overrides=overrides)
    stages = dvc.stages_in_order()
    chosen = chosen_settings(overrides, params)
    with dvc.line_lock():
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


def read_overrides(images: str, settings: str, preset: str = "") -> tuple[str, ...]:
    """The settings that `make run IMAGES=… PRESET=… SET=…` asks for; each may be empty.

    Args:
        images: a folder, an archive or a table.
        settings: `section.key=value` separated by blanks; a value with blanks in it stands in quotes, as in a shell.
        preset: the name of a file in `presets/`; what `settings` sets comes after it, and so has precedence.

    Raises:
        DarkroomError: for a path that is none of these, for quotes that do not close, for a preset that is not there, or when
            both `images` and `settings` set the source.
    """
    try:
        overrides = tuple(shlex.split(settings))
    except ValueError as error:
        raise DarkroomError(
            f"SET={settings}: {error}; write a value with blanks or quotes as SET=\"a.b='…'\""
        ) from None
    overrides = (*_preset_settings(preset), *overrides) if preset else overrides
    if not images:
        return overrides
    if twice := [text for text in overrides if text.partition("=")[0] in SOURCE_KEYS]:
        raise DarkroomError(
            f"IMAGES sets where the images are, and so does SET={' '.join(twice)}: leave one of them out"
        )
    return _source_settings(Path(images).expanduser().resolve()) + overrides


def _preset_settings(name: str) -> tuple[str, ...]:
    """Each setting of a preset as `section.key=value`, the value as JSON, which is YAML too."""
    path = PRESETS / f"{name}.yaml"
    known = sorted(file.stem for file in PRESETS.glob("*.yaml"))
    if name not in known:
        raise DarkroomError(f"PRESET={name}: there is no {path}; there are {', '.join(known)}")
    content = read_file(path)
    if wrong := [section for section, settings in content.items() if not isinstance(settings, dict)]:
        raise DarkroomError(f"PRESET={name}: {path} has no settings below {wrong[0]}")
    return tuple(
        f"{section}.{key}={json.dumps(value)}"
        for section, settings in content.items()
        for key, value in settings.items()
    )


def _source_settings(path: Path) -> tuple[str, ...]:
    """What `ingest` needs to know to read a source; inside the repository its path is relative to the root."""
    try:
        source = detect_kind(path)
    except DarkroomError as error:
        raise DarkroomError(f"IMAGES: {error}") from None
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"ingest.source={source}", f"ingest.path={json.dumps(shown.as_posix(), ensure_ascii=False)}"


def chosen_settings(overrides: Sequence[str], params: Params) -> dict[str, Any]:
    """`section.key` → its checked value, of the settings that `overrides` name."""
    checked = params.values()
    names = [text.partition("=")[0] for text in overrides]
    return {name: checked[section][key] for name in names for section, key in [name.split(".")]}


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
