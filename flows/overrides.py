"""From what the user typed to `section.key=value` settings, and from those to what `dvc exp run -S` takes."""

import datetime
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.sections import Params
from darkroom.sources.registry import detect_kind

PRESETS = Path("presets")
SOURCE_KEYS = ("ingest.source", "ingest.path")


def read_overrides(images: str, settings: str, preset: str = "") -> tuple[str, ...]:
    """The settings that `make run IMAGES=… PRESET=… SET=…` asks for; each may be empty.

    Args:
        images: a folder, an archive or a table.
        settings: `section.key=value` separated by blanks; a value with blanks in it stands in quotes, as in a shell.
        preset: the name of a file in `presets/`; what `settings` says comes after it, and so holds.

    Raises:
        DarkroomError: for a path that is none of these, for quotes that do not close, for a preset that is not there, or when
            both `images` and `settings` name the source.
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
            f"IMAGES says where the images are, and so does SET={' '.join(twice)}: leave one of them out"
        )
    return _source_settings(Path(images).expanduser().resolve()) + overrides


def _preset_settings(name: str) -> tuple[str, ...]:
    """Each setting of a preset as `section.key=value`, the value as JSON, which is YAML too."""
    path = PRESETS / f"{name}.yaml"
    known = sorted(file.stem for file in PRESETS.glob("*.yaml"))
    if name not in known:
        raise DarkroomError(f"PRESET={name}: there is no {path}; there are {', '.join(known)}")
    content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return tuple(
        f"{section}.{key}={json.dumps(value)}"
        for section, settings in content.items()
        for key, value in settings.items()
    )


def _source_settings(path: Path) -> tuple[str, ...]:
    """What `ingest` needs to know to read what lies at a path; inside the repository the path is relative to its root."""
    try:
        source = detect_kind(path)
    except DarkroomError as error:
        raise DarkroomError(f"IMAGES: {error}") from None
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"ingest.source={source}", f"ingest.path={json.dumps(shown.as_posix(), ensure_ascii=False)}"


def to_hydra(overrides: Sequence[str], params: Params) -> list[str]:
    """The same settings in Hydra's override grammar, with the checked values that `params` holds.

    Text always stands in single quotes; there only a quote, a `${` and the backslashes before either need a backslash
    (https://hydra.cc/docs/1.3/advanced/override_grammar/basic/#quoted-values).
    """
    checked = params.model_dump(by_alias=True)
    written = []
    for name in dict.fromkeys(text.partition("=")[0] for text in overrides):
        section, key = name.split(".")
        written.append(f"{name}={_hydra_value(checked[section][key])}")
    return written


def _hydra_value(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(_hydra_value(member) for member in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_hydra_value(member)}' for key, member in value.items())}}}"
    if isinstance(value, datetime.date):
        value = value.isoformat()  # Hydra has no dates; the settings take this text for one
    if not isinstance(value, str):
        return json.dumps(value)
    escaped = re.sub(r"(\\*)('|\$\{|$)", lambda found: found[1] * 2 + ("\\" + found[2] if found[2] else ""), value)
    return f"'{escaped}'"
