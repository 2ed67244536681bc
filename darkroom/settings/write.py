"""Changing settings in `params.yaml`, and nothing else of it: comments, order and form stay.

`make run SET=…` and `make tune APPLY=1` use both functions.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file


def with_settings(text: str, settings: Mapping[str, Any]) -> str:
    """The text of a `params.yaml` with other values for some settings.

    Args:
        text: of the file, valid as `read_params` checks it.
        settings: `section.key` → its checked value, such as `{"train.epochs": 3}`; dates as text, as in
            `Params.values`.

    Returns:
        The text as `dvc exp run -S` would write it. A setting that has its value already stays as it was typed.

    Raises:
        DarkroomError: when the file has a form that cannot be changed and read back.
    """
    # The engine and the form that DVC writes with, so that its next change touches no other line.
    yaml = YAML()
    yaml.default_flow_style = False
    params = yaml.load(text)
    wanted = _plain(text)
    for name, value in settings.items():
        section, _, key = name.partition(".")
        if repr(wanted[section].get(key)) == repr(value):
            continue
        wanted[section][key] = params[section][key] = value
        # Without this, ruamel 0.19 puts the next setting on the line of an empty list that takes the place of a longer one.
        comments = params[section].ca.items.get(key)
        if comments and comments[3] == []:
            comments[3] = None
    buffer = io.StringIO()
    yaml.dump(params, buffer)
    changed = buffer.getvalue()
    try:
        readable = _plain(changed) == wanted
    except YAMLError:
        readable = False
    if not readable:
        raise DarkroomError(
            f"params.yaml cannot be changed by a program in this form: set {' '.join(settings)} by hand"
        )
    return changed


def _plain(text: str) -> Any:
    """The values alone, by the engine of `read_params`."""
    return YAML(typ="safe", pure=True).load(text)


def write_params(path: Path, text: str) -> None:
    """Write `params.yaml` whole or not at all: a kill in the middle leaves the file before."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
