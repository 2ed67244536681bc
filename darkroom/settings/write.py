"""The best settings as a change of `params.yaml` that keeps everything else in it: comments, order and form."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def with_train_settings(text: str, settings: Mapping[str, Any]) -> str:
    """A `params.yaml` with some settings of its section `train` in place of those it has.

    Args:
        text: of the file, valid as `read_params` checks it.
        settings: by name.
    """
    # The same engine and form that DVC writes it with, so that its next change does not touch other lines.
    yaml = YAML()
    params = yaml.load(text)
    params["train"].update(settings)
    buffer = io.StringIO()
    yaml.dump(params, buffer)
    return buffer.getvalue()


def write_params(path: Path, text: str) -> None:
    """Write beside and rename: a kill in the middle leaves the file before."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
