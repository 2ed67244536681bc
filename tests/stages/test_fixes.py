"""Label fixes at ingest: each does what it says and no more, and a grown line is that of a run from nothing."""

import csv
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darkroom.images.manifest import REJECTS, read_manifest
from darkroom.images.shards import read_shards
from darkroom.labels.fixes import APPLIED, COLUMNS, reviewed_images
from darkroom.runtime.errors import DarkroomError
from tests.conftest import ingest_source
from tests.support.growing import CLASSES, add, count_openings, outputs, picture, zipped

Row = tuple[str, str, str]


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 pictures and one that is damaged; tests must not write to it."""
    folder = tmp_path_factory.mktemp("fixes") / "pile"
    for number in range(30):
        add(folder, number)
    (folder / "cat/broken.jpg").write_bytes(picture(1)[:200])
    return folder


def ingest_with_fixes(kind: str, source: Path, root: Path, *rows: Row, rejects: float = 0.5) -> Path:
    """Survey and ingest with fixes given as (image, action, new label)."""
    file = root / "label_fixes.csv"
    root.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([COLUMNS, *((*row, "Ann", f"since {row[1]}") for row in rows)])
    return ingest_source(kind, source, root, rejects, fixes=file)


def test_relabelled_removed_and_kept(pile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ("cat/0003.jpg", "relabel", "dog"), ("dog/0001.jpg", "remove", ""), ("owl/0002.png", "keep", "")
    plain = read_manifest(ingest_with_fixes("folder", pile, tmp_path / "plain")).to_pandas()
    assert "label_fixes" not in capsys.readouterr().out
    before = outputs(pile)
    out = ingest_with_fixes("folder", pile, tmp_path / "fixed", *rows)
    assert outputs(pile) == before
    assert "1 relabelled, 1 removed, 1 kept as they are, as " in capsys.readouterr().out

    manifest = read_manifest(out).to_pandas()
    expected = plain[plain["path"] != "dog/0001.jpg"].reset_index(drop=True)
    changed = expected["path"] == "cat/0003.jpg"
    expected.loc[changed, ["label", "source_label"]] = "dog", "cat"
    places = ["shard", "offset"]
    assert manifest.drop(columns=places).equals(expected.drop(columns=places))
    assert plain["source_label"].isna().all()
    content = list(
        read_shards(out / "shards", zip(manifest["shard"], manifest["offset"], manifest["bytes"], strict=True))
    )
    assert content == [(pile / path).read_bytes() for path in manifest["path"]]
    assert picture(1) not in b"".join(shard.read_bytes() for shard in (out / "shards").rglob("*.bin"))

    rejects = pd.read_parquet(out / "rejects.parquet").set_index("path")
    assert [*rejects.reset_index().columns] == REJECTS.names
    assert list(rejects.index) == ["cat/broken.jpg", "dog/0001.jpg"]
    assert list(rejects["reviewer"].isna()) == [True, False]
    removed = rejects.loc["dog/0001.jpg"]
    assert (removed["reviewer"], removed["reason"]) == ("Ann", "removed by Ann: since remove")
    assert removed["bytes"] == len(picture(1)) and len(removed["sha256"]) == 64

    fixes = pd.read_parquet(out / "fixes.parquet")
    assert [*fixes.columns] == APPLIED.names and list(fixes["path"]) == [row[0] for row in rows]
    assert list(fixes["label"]) == ["cat", "dog", "owl"] and list(fixes["new_label"].fillna("")) == ["dog", "", ""]
    assert reviewed_images(out) == {row[0] for row in rows}


def test_a_class_that_loses_all_its_images_stays_in_the_list(pile: Path, tmp_path: Path) -> None:
    owls = sorted((pile / "owl").iterdir())
    out = ingest_with_fixes("folder", pile, tmp_path, *((f"owl/{path.name}", "relabel", "cat") for path in owls))
    assert set(read_manifest(out)["label"].to_pylist()) == {"cat", "dog"}
    assert all(name in (out / "classes.json").read_text() for name in CLASSES)


def test_removed_images_do_not_count_as_files_that_can_not_be_read(pile: Path, tmp_path: Path) -> None:
    rows = [(f"dog/{path.name}", "remove", "") for path in (pile / "dog").iterdir()]
    ingest_with_fixes("folder", pile, tmp_path / "one", *rows, rejects=0.05)
    with pytest.raises(DarkroomError, match=r"1 of 21 files \(4\.8%\)"):
        ingest_with_fixes("folder", pile, tmp_path / "other", *rows, rejects=0.04)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_an_id_is_as_good_as_a_path(kind: str, pile: Path, tmp_path: Path) -> None:
    source = pile if kind == "folder" else zipped(pile, tmp_path / "pile.zip")
    plain = read_manifest(ingest_with_fixes(kind, source, tmp_path / "plain"), ["path", "id"])
    ids = dict(zip(*plain.to_pydict().values(), strict=True))
    rows = ("cat/0003.jpg", "relabel", "dog"), ("dog/0001.jpg", "remove", "")
    one = ingest_with_fixes(kind, source, tmp_path / "one", *rows)
    other = ingest_with_fixes(kind, source, tmp_path / "other", *((ids[path], *rest) for path, *rest in rows))
    assert outputs(one.parent.parent) == outputs(other.parent.parent)
    with pytest.raises(
        DarkroomError, match=rf"line 3: {ids['cat/0003.jpg']} is the id of 'cat/0003.jpg', which is in line 2"
    ):
        ingest_with_fixes(kind, source, tmp_path / "twice", rows[0], (ids["cat/0003.jpg"], "keep", ""))


def test_an_id_of_no_image_stops_the_line(pile: Path, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match="line 2: no image that can be read has the id 0123456789abcdef"):
        ingest_with_fixes("folder", pile, tmp_path, ("0123456789abcdef", "remove", ""))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["survey"]


def test_a_mistake_stops_the_line_before_an_image_is_read(
    pile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = count_openings(monkeypatch)
    with pytest.raises(DarkroomError, match=r"line 2: the source has no image 'cat/3\.png'"):
        ingest_with_fixes("folder", pile, tmp_path, ("cat/3.png", "remove", ""))
    assert (opened.read, opened.decoded) == ([], [])


def test_a_fix_of_a_file_that_can_not_be_read(pile: Path, tmp_path: Path) -> None:
    ingest_with_fixes("folder", pile, tmp_path, ("cat/broken.jpg", "keep", ""))
    out = ingest_with_fixes("folder", pile, tmp_path, ("cat/broken.jpg", "remove", ""), rejects=0.0)
    assert list(pd.read_parquet(out / "rejects.parquet")["reviewer"]) == ["Ann"]


IMAGES = [f"{CLASSES[number % 3]}/{number:04}.{'jpg' if number % 2 else 'png'}" for number in range(12)]
FIXES = st.dictionaries(
    st.sampled_from([*IMAGES, "cat/broken.jpg"]),
    st.tuples(st.sampled_from(["relabel", "remove", "keep"]), st.sampled_from(CLASSES)),
    max_size=6,
)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FIXES, min_size=2, max_size=3), st.sampled_from(["folder", "zip"]))
def test_fixes_that_come_and_go_leave_what_a_run_from_nothing_makes(
    tmp_path: Path, pile: Path, monkeypatch: pytest.MonkeyPatch, versions: list[dict[str, tuple[str, str]]], kind: str
) -> None:
    monkeypatch.setattr("darkroom.sources.file_hashes.SETTLED", -1)
    source = pile if kind == "folder" else zipped(pile, tmp_path / "pile.zip")
    for folder in ("grown", "anew"):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)
    ingest_with_fixes(kind, source, tmp_path / "grown")
    with monkeypatch.context() as patch:
        opened = count_openings(patch)
        for fixes in versions:
            ingest_with_fixes(
                kind, source, tmp_path / "grown", *((image, *fix) for image, fix in sorted(fixes.items()))
            )
        assert opened.decoded == []
    ingest_with_fixes(kind, source, tmp_path / "anew", *((image, *fix) for image, fix in sorted(versions[-1].items())))
    assert outputs(tmp_path / "grown") == outputs(tmp_path / "anew")
