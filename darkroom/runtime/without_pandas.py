"""Keep pyarrow from importing pandas where nobody needs it.

The first `pa.array` of a list, and every dataset, makes pyarrow look whether there is a pandas whose columns it might be given:
0.15 to 0.3 s of a process that may have 0.7 s to do. pyarrow has no switch for it, but looks only once.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyarrow as pa


class _Hidden(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is hidden from pyarrow", name="pandas")
        return None


def hide_pandas_from_pyarrow() -> None:
    """Let pyarrow look for pandas now, and find none; to be called by a process that gives pyarrow nothing of pandas.

    pandas can be imported later as always, and `to_pandas` then looks again. Where it has been imported already there is
    nothing to save, and nothing is hidden.
    """
    if "pandas" in sys.modules:
        return
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(hidden)
