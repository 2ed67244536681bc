"""Where pandas is hidden from pyarrow, pyarrow does not load it, and all else goes as before."""

import subprocess
import sys

import pytest

CODE = """
import sys
from darkroom.runtime.without_pandas import hide_pandas_from_pyarrow
hide_pandas_from_pyarrow()
import pyarrow as pa
table = pa.table({"number": pa.array([1, 2])})
assert "pandas" not in sys.modules, "it was loaded"
import pandas as pd
assert table.to_pandas()["number"].sum() == 3
assert pa.Table.from_pandas(pd.DataFrame({"number": [1, 2]})).equals(table, check_metadata=False)
"""


def test_pyarrow_leaves_pandas_alone_and_pandas_works_when_it_is_wanted() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["stages.survey", "stages.ingest", "stages.split", "stages.preprocess", "flows.run"])
def test_what_starts_often_imports_no_pandas(module: str) -> None:
    code = f"import sys, {module}\nassert not {{'pandas', 'scipy', 'torch'}} & set(sys.modules), 'it was loaded'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
