"""A file of a revision that is damaged, or another hand's, is named with its remedy; nothing is compared then."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.diff import read_state
from darkroom.runtime.errors import DarkroomError
from tests.support.revisions import FIRST, SCORES, write_version

TABLES = ["data/ingest/rejects.parquet", "data/validate/groups.parquet", "data/split/splits.parquet"]


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_version(tmp_path, FIRST, ("cat", "dog"), {}, SCORES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused() -> str:
    with pytest.raises(DarkroomError) as caught:
        read_state("workspace")
    assert "`dvc checkout --force` brings the workspace's back" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", TABLES)
def test_a_damaged_table_is_named(version: Path, name: str) -> None:
    (version / name).write_bytes((version / name).read_bytes()[:-20])
    assert refused().startswith(f"{name} of workspace is damaged (")
    pq.write_table(pa.table({"other": [1]}), version / name)
    assert refused().startswith(f"{name} of workspace is damaged (it has no column ")
    (version / name).unlink()
    (version / name).mkdir()
    assert refused().startswith(f"{name} of workspace is damaged (")


def test_a_damaged_part_of_the_manifest_is_named(version: Path) -> None:
    part = sorted((version / "data/ingest/manifest").iterdir())[0]
    part.write_bytes(b"PAR1")
    assert refused().startswith("the manifest of workspace is damaged (")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"test": 3}, "test is 3, should be an object"),
        ({"test": SCORES | {"accuracy": "high"}}, "test.accuracy"),
        ({"provenance": {}}, "provenance is {}, should have data_version"),
        ({"provenance": None}, "provenance is None, should be an object"),
    ],
)
def test_damaged_scores_are_named(version: Path, changed: dict[str, object], says: str) -> None:
    path = version / "reports/evaluate/metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    assert refused().startswith(f"reports/evaluate/metrics.json of workspace is damaged ({says}")
