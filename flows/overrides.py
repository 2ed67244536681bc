"""What was typed beside `make run`, as settings: `IMAGES=`, `PRESET=` and `SET=`."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import ObjectStore, is_url
from darkroom.settings.read import Params
from darkroom.settings.yaml_file import read_file
from darkroom.sources.registry import detect_kind
from darkroom.sources.source import expand_home

PRESETS = Path("presets")
SOURCE_KEYS = ("ingest.source", "ingest.path")


def read_overrides(images: str, settings: str, preset: str = "") -> tuple[str, ...]:
    """The settings that `make run IMAGES=… PRESET=… SET=…` asks for; each may be empty.

    Args:
        images: a folder, an archive, a table, or the URL of a folder in an object store.
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
    return _source_settings(images) + overrides


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


def _source_settings(images: str) -> tuple[str, ...]:
    """What `ingest` needs to know to read a source. Links in its path stay: `current` may lead elsewhere by the next run."""
    if is_url(images):
        # An unknown store and a missing package are shown before anything is written.
        ObjectStore.open(images)
        return "ingest.source=folder", f"ingest.path={json.dumps(images, ensure_ascii=False)}"
    path = expand_home(images)
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
