"""What people edit while a stage runs: its settings and the label fixes.

DVC reads both once more when a stage has ended, and records what it made under what it then finds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import INPUTS, LABEL_FIXES, PARAMS_FILE

DVC_YAML = Path("dvc.yaml")


@contextmanager
def unchanged_inputs(stage: str) -> Iterator[None]:
    """Hold the settings that a stage depends on, and the label fixes where it reads them, against what they were before.

    Raises:
        DarkroomError: at the end, when they changed: DVC then records nothing.
    """
    files = [PARAMS_FILE, *(path for path in INPUTS.get(stage, ()) if path == LABEL_FIXES)]
    before = {path: _content(path) for path in files}
    yield
    for path, content in before.items():
        now = _content(path)
        if now != content and (
            changed := _changed_settings(stage, content, now) if path == PARAMS_FILE else [path.name]
        ):
            raise DarkroomError(
                f"{path} was changed while {stage} ran ({', '.join(changed)}): what it made would be recorded as if it had "
                f"been made with the new content. Type the same command again: {stage} then runs with what {path} has now"
            )


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _changed_settings(stage: str, before: bytes, now: bytes) -> list[str]:
    """The settings that `dvc.yaml` lists for a stage, and that two contents of `params.yaml` have different."""
    # Here: files that differ are rare, and reading YAML takes a tenth of a second.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML(typ="safe", pure=True)
    try:
        names = yaml.load(DVC_YAML)["stages"][stage].get("params", [])
        old, new = yaml.load(before), yaml.load(now)
        return [name for name in names if _value(old, name) != _value(new, name)]
    except (OSError, YAMLError, LookupError, TypeError, AttributeError):
        return [f"it or {DVC_YAML} can't be read now"]


def _value(params: Any, name: str) -> Any:
    section, _, key = name.partition(".")
    return params[section][key] if key else params[section]
