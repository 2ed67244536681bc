"""YAML as settings are written in it, read through one door: what could crash a reader is refused with its line."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import ScalarNode

from darkroom.runtime.errors import DarkroomError

# Far more than any settings need: the shipped file has 6 kB, 3 levels, and numbers of 19 digits at most.
LARGEST, DEEPEST, LONGEST_NUMBER = 1_000_000, 20, 40


class _Composer(Composer):
    """Refuses what settings don't need and what can be made huge: levels without end, aliases, tags."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        if isinstance(event, AliasEvent):
            raise ComposerError(None, None, "an alias, as *name; write the value out", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise ComposerError(None, None, f"a tag, as {event.tag}; leave it out", event.start_mark)
        if self.depth >= DEEPEST:
            raise ComposerError(None, None, f"more than {DEEPEST} levels", event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Constructor(SafeConstructor):
    """Numbers of any length that a setting may have, and days as text, which the settings check themselves."""

    def construct_yaml_int(self, node: ScalarNode) -> int:
        if len(node.value) > LONGEST_NUMBER:
            raise ConstructorError(None, None, f"a number of {len(node.value):,} digits", node.start_mark)
        number: int = super().construct_yaml_int(node)
        return number


_Constructor.add_constructor("tag:yaml.org,2002:int", _Constructor.construct_yaml_int)
_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def parse(text: str) -> Any:
    """YAML 1.2, as DVC reads and writes it: `1e-05` is a number and `yes` a word. PyYAML takes them the other way round.

    A day such as 2026-10-01 stays text.

    Raises:
        DarkroomError: with the fault and its line, for what is not valid YAML, and for aliases, tags, directives, more than
            20 levels, and numbers of more than 40 digits.
    """
    if len(text) > LARGEST:
        raise DarkroomError(f"{len(text):,} characters, which are no settings")
    if directive := re.search(r"^%\S*", text, re.MULTILINE):
        # `%YAML 1.1` would give other values to the same text, and a version that ruamel doesn't know is a KeyError of its own.
        raise DarkroomError(f"a directive, as {directive[0][:20]!r}; leave it out")
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer, yaml.Constructor = _Composer, _Constructor
    try:
        return yaml.load(text)
    except YAMLError as error:
        raise DarkroomError(_reason(error)) from None


def _reason(error: YAMLError) -> str:
    """The fault in one line, with its place in the text."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        problem = " ".join(str(error.problem).split())
        return f"{problem} (line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1})"
    return " ".join(str(error).split())


def read_file(path: Path) -> dict[str, Any]:
    """The sections of a file of settings, before any check.

    Raises:
        DarkroomError: when the file can't be read, is not valid YAML, or has no sections.
    """
    try:
        content = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise DarkroomError(f"there is no {path} in {Path.cwd()}: run this from the root of the repository") from None
    except OSError as error:
        raise DarkroomError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DarkroomError(
            f"{path} is not in UTF-8: line {line} contains the byte 0x{error.object[error.start]:02x}; save it as UTF-8"
        ) from None
    try:
        sections = parse(content)
    except DarkroomError as error:
        raise DarkroomError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(sections, dict):
        raise DarkroomError(f"{path} has no sections such as `train:`")
    return sections
