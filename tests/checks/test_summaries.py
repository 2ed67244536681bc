"""What is kept of each range: merged it is what all rows give, and a range whose part holds is not read again."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.checks.distribution import Distribution, counted
from darkroom.checks.last_commit import committed_side, side_of
from darkroom.checks.range_summary import ENDS, FEW, MEASURED, end_name
from darkroom.checks.summaries import summaries_of
from darkroom.images.manifest import MANIFEST
from darkroom.images.pillow_decoder import is_grey
from darkroom.settings.validate import Validate
from stages import validate
from tests.support.made_rows import made_rows, write_ranges
from tests.support.revisions import commit_version, start_repository

LIMITS = Validate(near_copies=False, min_images_per_class=3, stop=["manifest"], min_sharpness=5.0)


def run(ingest: Path, home: Path) -> dict[str, bytes]:
    """Validate with the cache of a home, and give what was written."""
    validate.run(
        ingest=ingest,
        settings=LIMITS,
        max_reject_fraction=0.1,
        decoder="turbo",
        cache=home / "cache",
        out=home / "out",
        reports=home / "reports",
        changes=home / "changes",
    )
    folders = [home / name for name in ("out", "reports", "changes")]
    return {path.name: path.read_bytes() for folder in folders for path in folder.iterdir()}


def with_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """The manifest with what is looked at, each row by itself."""
    short, long = frame[["width", "height"]].min(axis=1), frame[["width", "height"]].max(axis=1)
    rounded = {name: frame[name].astype(float).round(5) for name in MEASURED}
    return frame.assign(shorter_side=short, longer_side=long, aspect_ratio=(long / short).round(3), **rounded)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 1000), st.lists(st.integers(0, 40), max_size=4))
def test_ranges_merged_are_what_all_rows_give(
    tmp_path_factory: pytest.TempPathFactory, count: int, seed: int, cuts: list[int]
) -> None:
    home, manifest = tmp_path_factory.mktemp("ranges"), made_rows(count, seed)
    write_ranges(manifest, sorted({*(cut for cut in cuts if cut < count), count}), home / "ingest")
    found, frame = summaries_of(home / "ingest", home / "cache"), with_columns(manifest.to_pandas())
    assert found.images == count and not found.gaps
    assert dict(found.labels) == frame["label"].value_counts().to_dict()
    for column, is_minimum in ENDS:
        order = frame.sort_values(column, ascending=is_minimum, kind="stable").head(FEW)
        expected = list(zip(order.index, order[column], order["path"], strict=True))
        assert [tuple(one) for one in found.extremes(end_name(column, is_minimum))] == expected
        values, limits = frame[column].to_numpy(np.float64), np.linspace(0, 15, 7)
        counts = found.distribution(column)
        assert (counts.images, counts.low, counts.high) == (count, values.min(), values.max())
        assert counts.median == np.median(values)
        assert counts.bars(limits).tolist() == np.histogram(np.clip(values, 0, 15), limits)[0].tolist()
        assert [counts.above(limit) for limit in limits] == [(values > limit).sum() for limit in limits]
        assert counts.below(limits).tolist() == [(values < limit).sum() for limit in limits]
    sizes = frame.groupby(["width", "height"], as_index=False).agg(images=("path", "size"), first=("path", "min"))
    assert (
        found.sizes.images.tolist() == sizes["images"].tolist()
        and found.sizes.width.tolist() == sizes["width"].tolist()
    )
    assert found.sizes.first.tolist() == [int(path[:5]) for path in sizes["first"]]
    assert found.hashes(np.arange(count)).to_pylist() == [bytes.fromhex(text) for text in frame["sha256"]]
    grey = frame[[is_grey(mode) for mode in frame["mode"]]].head(FEW)
    assert [one.path for one in found.extremes("grey")] == grey["path"].tolist()
    rows, names = found.groups()
    assert rows.tolist() == np.flatnonzero(frame["group"].notna()).tolist() and len(set(names.to_pylist())) <= 2
    for row, path in enumerate(frame["path"]):
        place = found.range_of_path(path)
        assert found.starts[place] <= row < found.starts[place + 1]


@given(st.lists(st.lists(st.floats(0, 1e300), min_size=1, max_size=9), min_size=1, max_size=4))
def test_medians_are_exact(parts: list[list[float]]) -> None:
    values = np.concatenate([np.array(part) for part in parts])
    found = Distribution(counted(np.array(part)) for part in parts)
    assert found.median == np.median(values)
    assert found.least_above_zero(np.inf) == values[values > 0].min(initial=np.inf)


def count_opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the parts of the manifest that are opened from now on."""
    opened: list[str] = []

    def counting(file: Path, *arguments: Any, **named: Any) -> Any:
        opened.append(file.stem)
        return parquet_file(file, *arguments, **named)

    parquet_file = pq.ParquetFile
    monkeypatch.setattr(pq, "ParquetFile", counting)
    return opened


@pytest.fixture
def ingest(tmp_path: Path) -> Path:
    """Four ranges, of which no two share an image's bytes."""
    write_ranges(alone(200), [50, 100, 150, 200], tmp_path / "ingest")
    return tmp_path / "ingest"


def alone(count: int) -> pa.Table:
    """Rows of which none is a copy or in a group of the user's."""
    frame = made_rows(300, 7).slice(0, count).to_pandas()
    frame = frame.assign(sha256=[f"{2**255 + number:064x}" for number in range(count)], group=None)
    return pa.Table.from_pandas(frame, MANIFEST, preserve_index=False)


def test_one_new_range_is_the_only_one_that_is_read_and_the_bytes_are_those_of_a_run_from_nothing(
    ingest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = count_opened(monkeypatch)
    run(ingest, tmp_path / "grows")
    assert len(opened) == len(set(opened)) == 4
    opened.clear()
    before = run(ingest, tmp_path / "grows")
    assert not opened
    write_ranges(alone(220), [50, 100, 150, 200, 220], ingest)
    grown = run(ingest, tmp_path / "grows")
    assert opened == [f"{200:016x}"]
    assert grown == run(ingest, tmp_path / "fresh") != before
    kept = list((tmp_path / "grows/cache/checks").glob("*/*"))
    assert len(kept) == 5


def test_of_copies_only_the_ranges_that_they_are_in_are_read(
    ingest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = alone(200).to_pandas()
    frame.loc[[60, 70], "sha256"] = "ab" * 32
    write_ranges(pa.Table.from_pandas(frame, MANIFEST), [50, 100, 150, 200], ingest)
    first = run(ingest, tmp_path / "grows")
    opened = count_opened(monkeypatch)
    assert run(ingest, tmp_path / "grows") == first
    assert opened == [f"{50:016x}"]


def test_a_damaged_summary_is_made_again_and_that_is_printed(
    ingest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(ingest, tmp_path / "home")
    for name in ("facts", "images", "hashes"):
        capsys.readouterr()
        file = sorted((tmp_path / "home/cache/checks").glob(f"*/*/{name}.arrow"))[1]
        content = file.read_bytes()
        file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        assert run(ingest, tmp_path / "home") == first
        assert re.search(rf"the cache .*/checks/.* is damaged \({name}.arrow\)", capsys.readouterr().out)
        assert file.read_bytes() == content


def test_summaries_of_other_code_and_of_ranges_that_are_gone_are_removed(ingest: Path, tmp_path: Path) -> None:
    run(ingest, tmp_path / "home")
    (folder,) = (tmp_path / "home/cache/checks").iterdir()
    shutil.copytree(folder, folder.with_name("other"))
    write_ranges(alone(200), [50, 200], ingest)
    run(ingest, tmp_path / "home")
    assert not list(folder.with_name("other").iterdir()) and len(list(folder.iterdir())) == 2


def test_groups_and_copies_do_not_depend_on_the_ranges(tmp_path: Path) -> None:
    manifest = made_rows(120, 3)
    written = []
    for turn, ends in enumerate(([120], [1, 40, 41, 120])):
        write_ranges(manifest, ends, tmp_path / f"{turn}/ingest")
        run(tmp_path / f"{turn}/ingest", tmp_path / str(turn))
        groups = pq.read_table(tmp_path / f"{turn}/out/groups.parquet")
        written.append((groups, {path.name: path.read_bytes() for path in (tmp_path / f"{turn}/reports").iterdir()}))
    assert written[0] == written[1]
    frame = manifest.to_pandas().assign(name=written[0][0]["group"].to_pylist())
    assert written[0][0]["id"].to_pylist() == frame["id"].tolist()
    assert frame.groupby("sha256")["name"].nunique().max() == 1 == frame.groupby("group")["name"].nunique().max()


def test_of_the_last_commit_only_the_ranges_are_read_of_which_there_is_no_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    start_repository(folder)
    write_ranges(alone(200), [50, 100, 150, 200], folder / "made/data/ingest")
    commit_version(folder, "first")
    monkeypatch.chdir(folder)
    ingest, cache = Path("data/ingest"), Path("cache")
    committed = side_of(summaries_of(ingest, tmp_path / "other"))
    assert committed_side(summaries_of(ingest, cache)) is None, "the images are those of now"
    write_ranges(alone(220), [50, 100, 130, 220], ingest)
    opened = count_opened(monkeypatch)
    now = summaries_of(ingest, cache)
    shutil.rmtree(now.folder(now.ranges[0]))
    opened.clear()
    before = committed_side(now)
    assert opened == [f"{0:016x}"] and before is not None
    assert (before.images, before.labels) == (200, committed.labels)
    for found, expected in ((before.sides, committed.sides), (before.brightness, committed.brightness)):
        assert [each.tolist() for each in found] == [each.tolist() for each in expected]
