"""Two versions of the data side by side: `python -m darkroom.diff REV_A REV_B [--markdown FILE] [--html FILE]`."""

from darkroom.diff.difference import Difference, compare
from darkroom.diff.markdown import to_markdown
from darkroom.diff.state import State, read_state

__all__ = ["Difference", "State", "compare", "read_state", "to_markdown"]
