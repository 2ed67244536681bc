"""The split stage: a row for each image, and no class that can't be judged."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from darkroom.errors import DarkroomError
from stages import split


def test_a_row_for_each_image_and_nothing_straddles(prepared: Path) -> None:
    manifest = pd.read_parquet(prepared / "data/ingest/manifest.parquet")
    splits = pd.read_parquet(prepared / "data/split/splits.parquet")
    assert splits["id"].tolist() == manifest["id"].tolist()
    assert set(splits["split"]) == {"train", "validation", "test"}
    assert (splits.groupby("group")["split"].nunique() == 1).all()


def test_a_class_that_is_in_no_test_split_is_named(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"none of its 40 images fell into test") as caught:
        split.run(
            prepared / "data/ingest", prepared / "data/validate/groups.parquet", 0.5, 0.0001, 0, tmp_path / "split"
        )
    assert "zero" in str(caught.value) and "split.seed" in str(caught.value)
    assert not (tmp_path / "split").exists()


def test_groups_of_another_manifest_are_refused(prepared: Path, tmp_path: Path) -> None:
    groups = pq.read_table(prepared / "data/validate/groups.parquet")
    pq.write_table(groups.slice(1), tmp_path / "groups.parquet")
    with pytest.raises(DarkroomError, match="does not belong to"):
        split.run(prepared / "data/ingest", tmp_path / "groups.parquet", 0.1, 0.1, 0, tmp_path / "split")
