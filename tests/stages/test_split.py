"""The split stage: a row for each image, the same bytes again, and everything unusual printed with its path."""

import hashlib
import re
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.images.manifest import MANIFEST, read_manifest
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import read_json
from darkroom.splits.rule import SplitConfig
from stages import split
from tests.support.manifests import write_manifest
from tests.support.revisions import command, two_revisions


@dataclass(frozen=True)
class Row:
    """An image of a made-up manifest; `group` names a content that it is a near-copy of."""

    path: str
    content: str
    source_split: str | None = None
    timestamp: datetime | None = None
    group: str | None = None


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rows_of(sizes: dict[str, int]) -> list[Row]:
    return [
        Row(f"{name}/{number:03}.png", f"{name} {number}") for name, size in sizes.items() for number in range(size)
    ]


def write_data(root: Path, rows: list[Row]) -> Path:
    """data/ingest and data/validate of a source."""
    rows = sorted(rows, key=lambda row: row.path)
    columns = {
        "id": [sha(row.path + row.content)[:16] for row in rows],
        "sha256": [sha(row.content) for row in rows],
        "path": [row.path for row in rows],
        "label": [row.path.split("/")[0] for row in rows],
        "source_split": [row.source_split for row in rows],
        "timestamp": [row.timestamp for row in rows],
    }
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(len(rows), field.type)
        for field in MANIFEST
    ]
    shutil.rmtree(root / "data/ingest", ignore_errors=True)
    write_manifest(pa.Table.from_arrays(arrays, schema=MANIFEST), root / "data/ingest")
    ClassList(tuple(sorted({row.path.split("/")[0] for row in rows}))).save(root / "data/ingest/classes.json")
    (root / "data/validate").mkdir(exist_ok=True)
    groups = pa.table({"id": columns["id"], "group": [sha(row.group or row.content) for row in rows]})
    pq.write_table(groups, root / "data/validate/groups.parquet")
    return root


def run(
    root: Path,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
    folds: int | None = None,
    fold: int = 0,
    sticky: bool = True,
    **dates: date,
) -> pd.DataFrame:
    """The table beside the manifest's paths and labels."""
    out = root / "data/split"
    before = out / "splits.parquet"
    split.run(
        ingest=root / "data/ingest",
        groups=root / "data/validate/groups.parquet",
        config=SplitConfig(validation, test, seed, folds, **dates),
        fold=fold,
        previous=before if sticky and before.exists() else None,
        out=out,
    )
    manifest = read_manifest(root / "data/ingest").to_pandas()
    table = pd.read_parquet(before)
    assert table["id"].tolist() == manifest["id"].tolist()
    return table.assign(path=manifest["path"], label=manifest["label"]).set_index("path")


def test_a_row_for_each_image_in_one_split_and_the_totals_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = run(write_data(tmp_path, rows_of({"cat": 300, "dog": 50})))
    assert set(table["split"]) == {"train", "validation", "test"} and table["fold"].isna().all()
    printed = capsys.readouterr().out
    assert printed.startswith(f"split: train {(table['split'] == 'train').sum()} (") and "excluded" not in printed
    assert "largest deviation from target" in printed and "target 20.0%, tolerance" in printed


def test_a_renamed_image_keeps_its_split(tmp_path: Path) -> None:
    rows = rows_of({"cat": 100, "dog": 60})
    before = run(
        write_data(tmp_path, [replace(row, group="lead" if row.path < "cat/010" else row.group) for row in rows])
    )
    moved = [replace(row, path=f"{row.path[:4]}zz{row.path[4:]}") for row in rows]
    after = run(write_data(tmp_path, moved))
    assert after["split"].tolist() == before["split"].tolist()


def test_a_table_that_is_gone_comes_from_where_dvc_has_it(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, table = two_revisions(tmp_path_factory.getbasetemp()), Path("data/split/splits.parquet")
    monkeypatch.chdir(made)
    with split.previous_table(table) as here:
        assert here == table
    command(tmp_path, "git", "clone", "-q", str(made), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    with split.previous_table(table) as there:
        assert there is not None and there.read_bytes() == (made / table).read_bytes()
    shutil.rmtree(".dvc/cache", ignore_errors=True)
    config = Path(".dvc/config")
    config.write_text(config.read_text().replace(str(made.with_name("shelf")), str(tmp_path / "nowhere")))
    with split.previous_table(table) as missing:
        assert missing is None
    assert (
        "data/split/splits.parquet of dvc.lock is neither in DVC's cache nor in its remote" in capsys.readouterr().out
    )


def test_growth_gives_the_bytes_of_a_run_from_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of({"cat": 200, "dog": 120})
    before = run(write_data(tmp_path, rows[::2]))
    after = run(write_data(tmp_path, rows))
    assert (after.loc[before.index, "split"] == before["split"]).all()
    printed = capsys.readouterr().out
    assert "160 images as in the previous split, 160 new" in printed and "by quota" not in printed
    grown = (tmp_path / "data/split/splits.parquet").read_bytes()
    run(tmp_path, sticky=False)
    assert (tmp_path / "data/split/splits.parquet").read_bytes() == grown


def test_a_near_copy_of_a_training_and_a_test_image_is_excluded_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of({"cat": 100, "dog": 60})
    before = run(write_data(tmp_path, rows))
    train, test = (before.index[before["split"] == name][0] for name in ("train", "test"))
    linked = [replace(row, group="lead") if row.path in (train, test) else row for row in rows]
    after = run(write_data(tmp_path, [*linked, Row("dog/link.png", "link", group="lead")]))
    printed = capsys.readouterr().out
    assert after.loc["dog/link.png", "split"] == "excluded"
    assert (after.loc[before.index, "split"] == before["split"]).all()
    assert (after.groupby("group")["split"].nunique() == 1).all()
    assert "excluded 1 (0.6%)" in printed
    assert (
        "1 image excluded, copies, or others of the group, are in different splits since the previous run:" in printed
    )
    assert f"dog/link.png: excluded; beside {test} in test, {train} in train" in printed
    assert (
        "2 images in another split than others of their group" in printed
        and f"{test}: test; beside {train} in train" in printed
    )


def test_folds_and_a_source_with_a_validation_split_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of({"cat": 200, "dog": 200})
    rows = [replace(row, source_split="validation") if number % 10 == 0 else row for number, row in enumerate(rows)]
    first = run(write_data(tmp_path, rows), folds=4)
    other = run(tmp_path, folds=4, fold=3)
    assert first["fold"].equals(other["fold"]) and set(first["fold"].dropna()) == {0, 1, 2, 3}
    assert ((other["split"] == "validation") == (other["fold"] == 3)).all()
    assert first["fold"].isna().equals(first["split"] == "test")
    printed = capsys.readouterr().out
    assert "40 validation images are divided with the rest" in printed and "fold 3 validates" in printed


def test_dates_need_timestamps(tmp_path: Path) -> None:
    days = [
        replace(row, timestamp=datetime(2026, 1, 1 + k % 20, tzinfo=UTC))
        for k, row in enumerate(rows_of({"a": 100, "b": 100}))
    ]
    table = run(write_data(tmp_path, days), validation_from=date(2026, 1, 10), test_from=date(2026, 1, 15))
    assert table["split"].value_counts().to_dict() == {"train": 90, "validation": 50, "test": 60}
    write_data(tmp_path, [replace(days[0], timestamp=None), *days[1:]])
    with pytest.raises(DarkroomError, match=r"test_from is set, and 1 of 200 images have no timestamp.*a/000\.png"):
        run(tmp_path, test_from=date(2026, 1, 15))


def test_small_classes_are_placed_by_quota_which_is_printed_and_growth_moves_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"cat": 300} | {f"kind {number}": 3 + 3 * number for number in range(7)}
    before = run(write_data(tmp_path, rows_of(sizes)), 0.1, 0.1)
    for name, size in sizes.items():
        counts = before.loc[before["label"] == name, "split"].value_counts()
        assert len(counts) == 3 and (
            size == 300 or all(abs(counts[each] - size / 10) <= 1 for each in ("test", "validation"))
        )
    printed = capsys.readouterr().out
    assert (
        "by quota: 7 classes with fewer than 40 groups" in printed
        and "(kind 0, kind 1, kind 2, kind 3, kind 4, …)" in printed
    )
    grown = run(write_data(tmp_path, rows_of({name: 3 * size for name, size in sizes.items()})), 0.1, 0.1)
    assert (grown.loc[before.index, "split"] == before["split"]).all()
    assert "a run from nothing on the grown data may place them otherwise" in capsys.readouterr().out
    tested = grown.query("split == 'test'")["label"].value_counts()
    assert all(abs(tested[name] - 3 * size / 10) <= 1 for name, size in sizes.items() if 3 * size < 40)


def test_a_class_that_is_too_small_is_listed_with_what_it_needs(tmp_path: Path) -> None:
    write_data(
        tmp_path, [*rows_of({"big": 300, "small": 2}), *(Row(f"copies/{number}.png", "one") for number in range(9))]
    )
    with pytest.raises(DarkroomError) as caught:
        run(tmp_path, 0.1, 0.1)
    assert not (tmp_path / "data/split").exists()
    text = str(caught.value)
    assert re.search(
        "small: none of its 2 images is in (train|validation); it has 2 independent groups, and it takes 3, one for each "
        "of train, validation and test",
        text,
    )
    assert (
        "copies: none of its 9 images is in train or validation; they are one group (copies, of which validate" in text
    )
    assert "add different images to these classes, or leave such a class out" in text and "split.seed" not in text
    write_data(tmp_path, rows_of({"big": 300, "small": 4}))
    with pytest.raises(
        DarkroomError, match=r"small: .* it takes 6, one for each fold and the test split[^$]*lower split\.folds"
    ):
        run(tmp_path, 0.1, 0.1, folds=5, fold=4)


def test_a_class_of_copies_of_test_images_is_listed_with_what_is_excluded(tmp_path: Path) -> None:
    brought = [Row(f"dog/{number}.png", f"dog {number}", "test") for number in range(9)]
    copies = [Row(f"dog/copy{number}.png", f"dog {number}", "train") for number in range(9)]
    cats = [replace(row, source_split="test" if row.path < "cat/010" else "train") for row in rows_of({"cat": 90})]
    with pytest.raises(
        DarkroomError, match=r"dog: .* it has 0 independent groups, and it takes 2, one for each of train and"
    ) as caught:
        run(write_data(tmp_path, [*brought, *copies, *cats]))
    assert "validation (9 of its images are excluded)" in str(caught.value)


def test_a_class_whose_test_images_are_gone_is_listed_with_a_seed_that_works(tmp_path: Path) -> None:
    rows = rows_of({"big": 300, "small": 12})
    table = run(write_data(tmp_path, rows), 0.1, 0.1)
    tested = table.query("label == 'small' and split == 'test'").index
    write_data(tmp_path, [row for row in rows if row.path not in tested])
    with pytest.raises(
        DarkroomError, match=r"is in test; its 1\d independent groups .* assigned in an earlier run"
    ) as caught:
        run(tmp_path, 0.1, 0.1)
    seed = int(str(caught.value).split("split.seed=")[1].split(",")[0])
    assert set(run(tmp_path, 0.1, 0.1, seed).query("label == 'small'")["split"]) == {"train", "validation", "test"}


def test_a_class_that_the_sources_test_split_lacks_is_sent_there(tmp_path: Path) -> None:
    rows = [
        replace(row, source_split="test") if row.path < "cat/040" else row for row in rows_of({"cat": 90, "dog": 90})
    ]
    with pytest.raises(
        DarkroomError, match=r"dog: none .* in test; the source brings its own test split: put"
    ) as caught:
        run(write_data(tmp_path, rows))
    assert "split.seed=" not in str(caught.value)


def test_the_sources_test_split_stays_as_brought_and_its_copies_are_excluded_counted_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        replace(row, source_split="test" if k % 5 == 0 else "train")
        for k, row in enumerate(rows_of({"cat": 100, "dog": 100}))
    ]
    before = run(write_data(tmp_path, [*rows, Row("dog/a.png", rows[5].content, "train")]))
    assert before.loc["dog/a.png", "split"] == "excluded"
    assert (before["split"] == "test").sum() == 40 and (before["split"] == "test").eq(
        before["source_split"] == "test"
    ).all()
    printed = capsys.readouterr().out
    assert "test 40 (19.9%), excluded 1 (0.5%)" in printed
    assert "1 image excluded, copies, or others of the group, are in the source's own test split:" in printed
    assert "dog/a.png: excluded; beside cat/005.png in test" in printed
    trained = before.index[before["split"] == "train"][0]
    content = next(row.content for row in rows if row.path == trained)
    after = run(write_data(tmp_path, [*rows, Row("dog/b.png", "re-encoded", "test", group=content)]))
    assert after.loc["dog/b.png", "split"] == "test" and after.loc[trained, "split"] == "excluded"
    assert (after["split"] == "test").sum() == 41
    assert "1 of them was in a split in the previous run" in capsys.readouterr().out
    listed = read_json(tmp_path / "data/split/excluded.json")
    reason = "copies, or others of the group, are in the source's own test split"
    assert listed == [
        {"path": trained, "label": "cat", "source_split": "train", "previous_split": "train", "reason": reason}
        | {"beside": "dog/b.png", "beside_split": "test"}
    ]


def test_images_before_a_date_with_later_copies_are_excluded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = [
        replace(row, timestamp=datetime(2026, 1, 1 + k % 20, tzinfo=UTC))
        for k, row in enumerate(rows_of({"a": 100, "b": 100}))
    ]
    days[0] = replace(days[0], content=days[19].content)
    table = run(write_data(tmp_path, days), test_from=date(2026, 1, 15))
    assert table.loc["a/000.png", "split"] == "excluded" and (table["split"] == "test").sum() == 60
    assert "are in test by split.test_from" in capsys.readouterr().out


def test_other_settings_and_another_split_in_the_source_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of({"cat": 100})
    rows[0] = replace(rows[0], source_split="test")
    run(write_data(tmp_path, rows_of({"cat": 100})))
    table = run(write_data(tmp_path, rows))
    assert (table["split"] == "test").tolist() == [True] + [False] * 99
    assert "every image is assigned again: the source brings its own test split" in capsys.readouterr().out
    trained = table.index[table["split"] == "train"][0]
    again = [replace(row, source_split="test") if row.path == trained else row for row in rows]
    assert run(write_data(tmp_path, again)).loc[trained, "split"] == "test"
    assert "the source has another split than before for 1 image" in capsys.readouterr().out
    run(tmp_path, seed=1)
    assert "every image is assigned again: split.seed was 0 and is 1" in capsys.readouterr().out


def test_groups_of_another_manifest_are_refused(tmp_path: Path) -> None:
    write_data(tmp_path, rows_of({"cat": 20}))
    groups = pq.read_table(tmp_path / "data/validate/groups.parquet")
    pq.write_table(groups.slice(1), tmp_path / "data/validate/groups.parquet")
    with pytest.raises(DarkroomError, match="does not belong to"):
        run(tmp_path)
