"""Two models on the same test images, side by side: `python -m darkroom.compare REV_A REV_B [--out FOLDER]`."""

from darkroom.compare.comparison import Comparison, compare
from darkroom.compare.markdown import to_markdown
from darkroom.compare.scored import Scored, read_scored

__all__ = ["Comparison", "Scored", "compare", "read_scored", "to_markdown"]
