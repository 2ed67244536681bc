"""Real revisions: of both layouts, from the cache or the remote, only what is needed; and those that can't be read."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser

from darkroom.diff import Difference, compare, read_state
from darkroom.diff.__main__ import main
from darkroom.diff.page import changes_page
from darkroom.diff.relabels import predictions_before
from darkroom.images.manifest import REJECTS, manifest_of
from darkroom.labels.fixes import APPLIED
from darkroom.model.provenance import data_version
from darkroom.runtime import revisions
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.revisions import Committed, open_revision
from tests.support.revisions import FIRST, SCORES, SECOND, command, rows, two_revisions, write_version


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_revisions(tmp_path_factory.getbasetemp())


@pytest.fixture
def inside(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    return repository


@pytest.fixture
def clone(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without a cache, so that everything comes from the remote."""
    command(tmp_path, "git", "clone", "-q", str(repository), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def require_first_to_second(found: Difference) -> None:
    assert rows(found.added) == [["cat/d.png", "cat"], ["dog/e.png", "dog"]]
    assert rows(found.removed) == [["dog/c.png", "dog"]]
    assert rows(found.relabelled) == [["dog/a.png", "dog", "cat/a.png", "cat"]]
    assert found.moved is not None and rows(found.moved) == [["cat/b.png", "cat", "test", "train"]]
    assert list(found.conflicts_added["path"]) == ["cat/d.png", "dog/d.png"]
    assert found.leaks is not None and found.leaks.images.empty
    before, after = found.scores["accuracy"]
    assert before is None and after is not None and after.value == 0.75
    assert found.remarks == ("`first` has no reports/evaluate/metrics.json: evaluate has not been run there.",)
    # The first layout measured no contrast, and sharpness in another way.
    assert [shift.name for shift in found.shifts][-2:] == ["width / height", "brightness"]


def test_two_git_revisions_and_the_workspace(inside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_first_to_second(compare(read_state("first"), read_state("workspace")))
    assert compare(read_state("HEAD"), read_state("workspace")).data_is_equal
    comment, page = tmp_path / "comment.md", tmp_path / "page.html"
    main(["first", "second", "--markdown", str(comment), "--html", str(page)])
    told = capsys.readouterr().out
    assert "**4 → 5 images**: 2 added, 1 removed, 1 relabelled, 1 moved between splits." in told
    assert "| accuracy | not measured | 75.00% (50.00% to 100.00%) |" in told
    assert "> `first` has no reports/evaluate/metrics.json" in told
    assert comment.read_text() == told
    assert page.read_text().count("<img ") == 2 + 2 + 1 + 1 + 2 + 1, "conflict, copy, relabelled, moved, added, removed"
    main(["second", "first", "--html", str(page)])
    assert "<code>cat/d.png</code> (cat) = <code>dog/d.png</code> (dog)" in page.read_text(), "a conflict resolved"


def test_findings_end_the_command_with_a_status_of_their_own(
    inside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["first", "second", "--fail-on", "leak,conflict,test-changed", "--json", str(tmp_path / "diff.json")])
    assert ended.value.code == 3
    told = capsys.readouterr().out
    assert "\nrefused for conflict: 1 picture under several labels\n" in told and "refused for leak" not in told
    found = json.loads((tmp_path / "diff.json").read_text())
    assert found["images"] == [4, 5] and set(found["findings"]) == {"conflict", "test-changed"}
    main(["second", "second", "--fail-on", "leak,conflict,test-changed"])
    with pytest.raises(SystemExit):
        main(["first", "second", "--fail-on", "leaks"])
    assert "--fail-on leaks: should be some of leak, conflict, test-changed" in capsys.readouterr().err


def test_the_model_before_says_what_it_predicts_for_relabelled_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: Path
) -> None:
    difference = replace(compare(read_state("first"), read_state("second")), before="workspace")
    assert predictions_before(difference) == {}
    table = {
        "path": ["cat/a.png", "cat/a.png", "cat/b.png"],
        "damage": [None, "blur", None],
        "logits": [None, [1.0, 0.0], [1.0, 0.0]],
        "out_of_fold": [[0.2, 0.8], None, None],
    }
    (inside / "data/predict").mkdir(parents=True)
    pq.write_table(pa.table(table), inside / "data/predict/predictions.parquet")
    assert predictions_before(difference) == {"cat/a.png": "dog"}


def test_label_fixes_of_a_revision_are_read_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: Path
) -> None:
    before = read_state("second")
    assert before.fixes.empty, "and it was made before there were any"
    write_version(tmp_path, SECOND, ("cat", "dog"), {"dog/broken.png": "the file is empty"}, None)
    ingest = tmp_path / "data/ingest"
    row = {"path": "cat/d.png", "label": "cat", "reviewer": "Ann", "reason": "a <dog>"}
    fixes = [row | {"action": "keep"}, row | {"path": "dog/z.png", "action": "remove"}]
    pq.write_table(pa.Table.from_pylist(fixes, APPLIED), ingest / "fixes.parquet")
    rejects = pq.read_table(ingest / "rejects.parquet").to_pylist()
    rejects.append({"path": "dog/z.png", "reason": "removed by Ann: a dog", "reviewer": "Ann"})
    pq.write_table(pa.Table.from_pylist(rejects, REJECTS), ingest / "rejects.parquet")
    monkeypatch.chdir(tmp_path)
    after = read_state("workspace")
    assert list(after.rejects["path"]) == ["dog/broken.png"], "what was removed could be read"
    found = compare(before, after)
    assert rows(found.fixes_added) == [
        ["cat/d.png", "keep", "cat", "", "Ann", "a <dog>"],
        ["dog/z.png", "remove", "cat", "", "Ann", "a <dog>"],
    ]
    page = changes_page(found, replace(before, name="workspace"), after)
    assert '<h2 id="label-fixes">' in page and "kept as cat</td>" in page and "a &lt;dog&gt;" in page


def test_the_page_fits_a_phone_and_asks_for_nothing(inside: Path, tmp_path: Path, browser: Browser) -> None:
    main(["first", "second", "--html", str(tmp_path / "page.html")])
    requests: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
    page.on("request", lambda request: requests.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("[...document.images].every(image => image.naturalWidth == 8 && image.alt)")
    assert all(url.startswith(("file:", "data:")) for url in requests)
    page.close()


def test_a_clone_without_a_cache_reads_what_it_needs_from_the_remote(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    get = Committed.get

    def noted(self: Committed, path: str) -> Path:
        asked.append(path)
        return get(self, path)

    monkeypatch.setattr(Committed, "get", noted)
    require_first_to_second(compare(read_state("first"), read_state("second")))
    assert not any("shards" in path for path in asked), "tables are enough for the numbers"
    main(["second", "second", "--html", str(tmp_path / "same.html")])
    assert not any("shards" in path for path in asked), "nothing to show"
    main(["first", "second", "--html", str(tmp_path / "page.html")])
    # The shard of the removed image, and both shards after; not the other one before.
    assert len({path for path in asked if "shards" in path}) == 3
    assert not Path("data").exists(), "reading is not a checkout"


def test_pictures_that_can_not_be_got_are_said_to_be_missing(clone: Path) -> None:
    before, after = read_state("first"), read_state("second")
    lost = after.images.assign(shard="0" * 16)
    page = changes_page(compare(before, after), before, replace(after, images=lost))
    assert page.count("<img ") == 1 and "5 pictures of <code>second</code> can't be shown" in page
    assert "is neither in DVC&#39;s cache nor in its remote" in page and page.count("no picture") == 8


def manifest_at(name: str, columns: list[str]) -> pa.Table | None:
    with open_revision(name) as revision:
        return manifest_of(revision, columns)


def test_the_manifest_of_a_revision_in_both_layouts(inside: Path) -> None:
    first, second = (manifest_at(name, ["path", "brightness", "contrast"]) for name in ("first", "second"))
    assert first is not None and second is not None
    assert first["path"].to_pylist() == [image.path for image in FIRST] and first["contrast"].null_count == len(FIRST)
    assert second["path"].to_pylist() == [image.path for image in SECOND] and not second["contrast"].null_count
    assert first.column_names == second.column_names == ["path", "brightness", "contrast"]
    assert manifest_at("empty", ["path"]) is None
    with pytest.raises(DarkroomError, match="unknown Git revision"):
        manifest_at("nowhere", ["path"])


def refused(revision: str) -> str:
    with pytest.raises(DarkroomError) as error:
        read_state(revision)
    return str(error.value)


def test_revisions_that_can_not_be_read_say_why(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "'nowhere'" in refused("nowhere") and "unknown Git revision" in refused("nowhere")
    assert "empty has no dvc.lock" in refused("empty")
    with pytest.raises(SystemExit) as left:
        main(["nowhere", "workspace"])
    told = capsys.readouterr()
    assert left.value.code == 1 and told.err.startswith("error: ") and "Traceback" not in told.err
    assert "the workspace has no data/ingest/manifest" in refused("workspace")
    command(clone, sys.executable, "-m", "dvc", "remote", "remove", "shelf")
    for message in (refused("first"), refused("second")):
        assert "is neither in DVC's cache nor in its remote" in message and "dvc push" in message


def test_a_place_that_can_not_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing"
    for option, file, said in (
        ("--html", missing / "page.html", f"there is no folder {missing}"),
        ("--markdown", tmp_path, "is a folder"),
    ):
        with pytest.raises(SystemExit) as left:
            main(["nowhere", "nowhere either", option, str(file)])
        told = capsys.readouterr()
        assert left.value.code == 1 and told.err.startswith(f"error: can't write {file}: ") and said in told.err


@pytest.mark.parametrize(
    "content", ["<<<<<<< HEAD\nschema: '2.0'\n=======\n", "[]", "", "stages: 3", "stages: {a: 3}", "\0"]
)
def test_a_damaged_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (tmp_path / "dvc.lock").write_text(content)
    files = SimpleNamespace(read_text=lambda path: (tmp_path / path).read_text())
    monkeypatch.setattr(revisions, "DVCFileSystem", lambda repo, rev: files)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DarkroomError, match=r"the dvc\.lock of v1 is damaged .* or choose another revision"):
        Committed("v1", "v1", tmp_path)


def test_outside_a_repository_nothing_is_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "can't read revision 'HEAD'" in refused("HEAD")


def test_tables_of_other_images_are_left_out_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_version(tmp_path, FIRST, ("cat", "dog"), {}, SCORES)
    write_version(tmp_path / "other", FIRST[:3], ("cat", "dog"), {}, None)
    (tmp_path / "data/ingest").rename(tmp_path / "gone")
    (tmp_path / "other/data/ingest").rename(tmp_path / "data/ingest")
    monkeypatch.chdir(tmp_path)
    found = read_state("workspace")
    assert "split" not in found.images and "group" not in found.images
    # Scores of other data are none: beside the other side's they would say that nothing changed.
    assert len(found.remarks) == 3 and "are left out: they were measured on data version" in found.remarks[2]
    assert found.metrics is None
    same = compare(found, found)
    assert same.moved is None and same.leaks is None and same.new_copies is None


def test_every_part_of_the_manifest_and_the_splits_make_the_data_version(tmp_path: Path) -> None:
    write_version(tmp_path, FIRST, ("cat", "dog"), {}, None)
    ingest, splits = tmp_path / "data/ingest", tmp_path / "data/split/splits.parquet"
    versions = {data_version(ingest, splits)}
    for path in (*sorted((ingest / "manifest").iterdir()), splits):
        path.write_bytes(path.read_bytes() + b"x")
        versions.add(data_version(ingest, splits))
    assert len(versions) == 4 and all(len(version) == 12 for version in versions)
