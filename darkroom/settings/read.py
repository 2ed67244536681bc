"""All of `params.yaml`, checked at once, before anything is read or written; and the settings that differ from the defaults."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import PARAMS_FILE
from darkroom.settings.base import Section, check_section, mistakes_error, shown, unknown
from darkroom.settings.evaluate import Evaluate
from darkroom.settings.export import Export
from darkroom.settings.gate import Gate
from darkroom.settings.ingest import Ingest
from darkroom.settings.monitor import Monitor
from darkroom.settings.predict import Predict
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.quantize import Quantize
from darkroom.settings.registry import Registry
from darkroom.settings.schedule import Schedule
from darkroom.settings.split import Split
from darkroom.settings.train import Train
from darkroom.settings.tune import Tune
from darkroom.settings.validate import Validate
from darkroom.settings.yaml_file import parse, read_file

# The sections that decide what a report shows, and their settings that are other ones on every machine: where the images are.
REPORTED = ("ingest", "validate", "split", "preprocess", "train", "evaluate")
PLACES = ("ingest.path", "ingest.root")


@dataclass(frozen=True)
class Params:
    """All of `params.yaml`: one section a stage, and one for each other command."""

    ingest: Ingest
    validate: Validate
    split: Split
    preprocess: Preprocess
    train: Train
    predict: Predict
    evaluate: Evaluate
    quantize: Quantize
    export: Export
    tune: Tune
    registry: Registry
    monitor: Monitor
    schedule: Schedule
    gate: Gate

    def values(self) -> dict[str, dict[str, Any]]:
        """Section → setting → value, with dates as text."""
        return {name: getattr(self, name).model_dump(mode="json") for name in SECTIONS}


SECTIONS: dict[str, type[Section]] = {
    field.name: field.type for field in fields(Params) if isinstance(field.type, type)
}


def read_params(path: Path = PARAMS_FILE, overrides: tuple[str, ...] = ()) -> Params:
    """Read and check all settings.

    Args:
        path: the YAML file.
        overrides: `section.key=value` each, laid over the file before the check; values are read as YAML.

    Raises:
        DarkroomError: with every mistake in one message.
    """
    content = read_file(path)
    mistakes = [mistake for text in overrides if (mistake := _override(content, text))]
    mistakes += [f"{name}: {unknown(str(name), list(SECTIONS))}" for name in content if name not in SECTIONS]
    sections: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        checked = check_section(section, content, _hint(name))
        if isinstance(checked, list):
            mistakes += checked
        else:
            sections[name] = checked
    if mistakes:
        raise mistakes_error(mistakes, path)
    return Params(**sections)


def _override(content: dict[str, Any], text: str) -> str | None:
    """Set one `section.key=value`; return what is wrong with it, or None."""
    match = re.fullmatch(r"(\w+)\.(\w+)=(.*)", text, flags=re.DOTALL)
    if not match:
        return f"{shown(text)} is not of the form section.key=value"
    section, key, value = match.groups()
    settings = content.setdefault(section, {})
    if not isinstance(settings, dict):
        return None  # said once, with the sections
    try:
        settings[key] = parse(value)
    except DarkroomError as error:
        return f"{shown(text)}: the value is not valid YAML: {error}"
    return None


def _hint(section: str) -> Callable[[str], str | None]:
    """What to say about a key that this section does not have: the section that has it."""

    def hint(key: str) -> str | None:
        # A setting of another section by its full name is meant more likely than a like-named one of this section.
        others = [f"{name}.{key}" for name, other in SECTIONS.items() if key in other.model_fields]
        return f"there is no such setting; did you mean {others[0]}?" if others else None

    return hint


@dataclass(frozen=True)
class ChangedSetting:
    """A setting by its full name, its value, and its default, with which Darkroom ships; `metrics.json` has the same names."""

    name: str
    value: Any
    shipped: Any


def changed_settings(params: Params) -> list[ChangedSetting]:
    """The settings up to `evaluate` that differ from their defaults, in the order of `params.yaml`.

    Where the images are (`ingest.path` and `ingest.root`) is left out: it is another place on every machine, and the data
    version says what they are.
    """
    values = params.values()
    defaults = {name: SECTIONS[name]().model_dump(mode="json") for name in REPORTED}
    return [
        ChangedSetting(f"{section}.{name}", values[section][name], default)
        for section in REPORTED
        for name, default in defaults[section].items()
        if values[section][name] != default and f"{section}.{name}" not in PLACES
    ]
