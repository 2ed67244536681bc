"""Columns of text beyond the reach of 32-bit offsets; here the reach is lowered."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.images.manifest import read_manifest
from darkroom.runtime import columns
from darkroom.runtime.columns import addressable, leading_bits
from darkroom.settings.preprocess import Preprocess
from darkroom.splits.rule import SplitConfig
from stages import preprocess, split

HASHES = [f"{number:064x}" for number in (2**255, 2**192 + 5, 7)]


def test_long_columns_alone_change_their_type(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"sha256": HASHES, "path": ["a", "b", "c"], "bytes": [1, 2, 3]})
    assert addressable(table).schema == table.schema
    monkeypatch.setattr(columns, "REACH", 100)
    assert addressable(table).schema.types == [pa.large_string(), pa.string(), pa.int64()]
    assert addressable(table).to_pydict() == table.to_pydict()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_leading_bits_are_those_of_the_first_digits(kind: pa.DataType) -> None:
    expected = [2**63, 1, 0]
    assert leading_bits(pa.array(HASHES, kind)).tolist() == expected
    chunked = pa.chunked_array(
        [pa.array(["f" * 64, *HASHES], kind).slice(1), pa.array([], kind), pa.array(HASHES, kind)]
    )
    assert leading_bits(chunked).tolist() == expected * 2


def test_the_stages_take_long_columns_and_make_of_them_what_they_make_of_short_ones(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "REACH", 100)
    ingest = prepared / "data/ingest"
    manifest = read_manifest(ingest)
    assert manifest.schema.field("sha256").type == manifest.schema.field("path").type == pa.large_string()
    table = prepared / "data/split/splits.parquet"
    for previous in (None, table):
        split.run(
            ingest=ingest,
            groups=prepared / "data/validate/groups.parquet",
            config=SplitConfig(0.2, 0.2, 0),
            fold=0,
            previous=previous,
            out=tmp_path / "split",
        )
        found = pq.read_table(tmp_path / "split/splits.parquet")
        assert found.to_pydict() == pq.read_table(table).to_pydict()
    preprocess.run(
        ingest=ingest,
        splits=tmp_path / "split/splits.parquet",
        settings=Preprocess(),
        decoder="turbo",
        cache=tmp_path / "cache",
        out=tmp_path / "preprocess",
    )
    receipts = [
        (root / "train/receipt.json").read_bytes() for root in (tmp_path / "preprocess", prepared / "data/preprocess")
    ]
    assert receipts[0] == receipts[1]
