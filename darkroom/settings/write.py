"""Changing settings in `params.yaml`, and nothing else of it: comments, order and form stay.

`make run SET=…` and `make tune APPLY=1` use both functions.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import CommentMark
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.tokens import CommentToken

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file
from darkroom.settings.yaml_file import parse, read_file


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
    wanted = parse(text)
    for name, value in settings.items():
        section, _, key = name.partition(".")
        if repr(wanted[section].get(key)) == repr(value):
            continue
        wanted[section][key], params[section][key] = value, _escaped(value)
        if comments := params[section].ca.items.get(key):
            _place_comments(comments, value)
    buffer = io.StringIO()
    yaml.dump(params, buffer)
    changed = buffer.getvalue()
    # By their forms, since 1, 1.0 and true are equal.
    if repr(_read_back(changed)) != repr(wanted):
        raise DarkroomError(
            f"params.yaml cannot be changed by a program in this form: set {' '.join(settings)} by hand"
        )
    return changed


def _place_comments(comments: list[Any], value: Any) -> None:
    """Keep the comments of a key where its new value leaves room for them.

    ruamel 0.19 writes what was on the lines between key and value before a value that stands on the key's own line, and the
    next setting on the line of an empty list that takes the place of a longer one.

    Args:
        comments: of the key, as ruamel has them: third those at the end of its line, fourth those on the lines after it.
        value: takes the place of the one before.
    """
    between, comments[3] = comments[3], comments[3] or None
    if not between or (isinstance(value, (list, dict)) and value):
        return
    lines = "".join(" " * each.start_mark.column * (not each.value.isspace()) + each.value for each in between)
    after, comments[3] = comments[2], None
    mark = after.start_mark if after else CommentMark(0)
    comments[2] = CommentToken((after.value if after else "\n") + lines, mark, None)


def _read_back(text: str) -> Any:
    """The values alone, as `read_params` reads them; None where they can't be read."""
    try:
        return parse(text)
    except DarkroomError:
        return None


def _escaped(value: Any) -> Any:
    """A value, in which text with characters that YAML folds or drops (U+0085 becomes a blank) is written with escapes."""
    if isinstance(value, str):
        return value if value.isprintable() else DoubleQuotedScalarString(value)
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return {name: _escaped(each) for name, each in value.items()} if isinstance(value, dict) else value


def describe_written(path: Path, settings: Mapping[str, Any]) -> str:
    """What a file of settings has now of the settings that were written into it, read from the file.

    Args:
        path: `params.yaml`.
        settings: as they were given to `with_settings`.
    """
    try:
        content = read_file(path)
        found = {name: content[name.partition(".")[0]].get(name.partition(".")[2]) for name in settings}
    except (DarkroomError, KeyError, AttributeError) as error:
        return f"{path} can't be read any more ({error}): something else changed it while this ran"
    shown = " ".join(f"{name}={_typed(value)}" for name, value in found.items())
    changed = [name for name in settings if repr(found[name]) != repr(settings[name])]
    if not changed:
        return f"{path} now has {shown}"
    asked = " ".join(f"{name}={_typed(settings[name])}" for name in changed)
    return f"{path} was changed by something else while this ran: it was given {asked}, and now has {shown}"


def _typed(value: Any) -> str:
    """A value as one types it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write_params(path: Path, text: str) -> None:
    """Write `params.yaml` whole or not at all: a kill in the middle leaves the file before."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
