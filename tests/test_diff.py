"""The difference of two versions: it adds up, it calls a relabel a relabel, and it reads real revisions or says why not."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.classes import ClassList
from darkroom.diff import compare, main, read_state, to_markdown
from darkroom.difference import Difference
from darkroom.errors import DarkroomError
from darkroom.provenance import data_version
from darkroom.revisions import State

CLASSES = ("cat", "dog", "owl")
# A comparison of tables takes tens of milliseconds, however small they are.
REPEATED = settings(max_examples=30)


def state(
    *images: tuple[str, str, str, str],
    rejects: tuple[str, ...] = (),
    classes: tuple[str, ...] = CLASSES,
    metrics: dict[str, float] | None = None,
) -> State:
    """A state of images given as (content, path, label, split)."""
    frame = pd.DataFrame(images, columns=["sha256", "path", "label", "split"], dtype=str)
    rejected = pd.DataFrame({"path": list(rejects), "reason": ["the file is empty"] * len(rejects)}, dtype=str)
    return State("x", frame.assign(group=frame["sha256"]), rejected, ClassList(classes), metrics)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Few contents, labels and paths, so that copies, relabels and renames are frequent; the path need not tell the label."""
    paths = draw(st.lists(st.sampled_from([f"{number}.png" for number in range(12)]), unique=True, max_size=12))
    splits = st.sampled_from(["train", "validation", "test"])
    return state(
        *((draw(st.sampled_from("pqrs")), path, draw(st.sampled_from(CLASSES)), draw(splits)) for path in paths),
        rejects=tuple(draw(st.sets(st.sampled_from(["1.gif", "2.gif", "3.gif"])))),
    )


def rows(table: pd.DataFrame) -> list[list[str]]:
    content: list[list[str]] = table.to_numpy().tolist()
    return content


@REPEATED
@given(states(), states())
def test_everything_adds_up_in_total_in_each_class_and_for_each_content(before: State, after: State) -> None:
    found = compare(before, after)
    images_before, images_after = found.images
    assert (images_before, images_after) == (len(before.images), len(after.images))
    assert images_after == images_before + len(found.added) - len(found.removed)
    table = found.classes
    assert list(table["after"]) == list(
        table["before"] + table["added"] - table["removed"] + table["gained"] - table["lost"]
    )
    old, new = Counter(before.images["sha256"]), Counter(after.images["sha256"])
    assert len(found.added) == (new - old).total() and len(found.removed) == (old - new).total()


@REPEATED
@given(states(), states())
def test_every_path_is_told_at_most_once_and_unchanged_images_never(before: State, after: State) -> None:
    found = compare(before, after)
    told = [*found.added["path"], *found.relabelled["path"], *found.renamed["path"]]
    gone = [*found.removed["path"], *found.relabelled["path_before"], *found.renamed["path_before"]]
    assert len(set(told)) == len(told) and len(set(gone)) == len(gone)
    keys = ["sha256", "path", "label"]
    unchanged = before.images[keys].merge(after.images[keys])["path"]
    assert not set(unchanged) & set(told) and not set(unchanged) & set(gone)
    assert len(after.images) == len(told) + len(unchanged) and len(before.images) == len(gone) + len(unchanged)


@REPEATED
@given(states())
def test_a_state_does_not_differ_from_itself(one: State) -> None:
    found = compare(one, one)
    assert found.data_is_equal
    assert "The data is the same" in to_markdown(found)


@REPEATED
@given(states(), states())
def test_the_other_direction_is_the_mirror(before: State, after: State) -> None:
    there, back = compare(before, after), compare(after, before)
    assert rows(there.added) == rows(back.removed) and rows(there.removed) == rows(back.added)
    assert there.moved is not None and back.moved is not None
    assert len(there.moved) == len(back.moved)
    mirrored = [[was, label_was, path, label] for path, label, was, label_was in rows(there.relabelled)]
    assert sorted(mirrored) == sorted(rows(back.relabelled))
    assert there.conflicts_added == back.conflicts_resolved


def test_a_file_moved_to_another_class_folder_is_one_relabel() -> None:
    found = compare(state(("p", "cat/1.png", "cat", "train")), state(("p", "dog/1.png", "dog", "train")))
    assert rows(found.relabelled) == [["dog/1.png", "dog", "cat/1.png", "cat"]]
    assert found.added.empty and found.removed.empty and found.renamed.empty


def test_a_file_renamed_in_its_class_is_neither_added_nor_removed() -> None:
    found = compare(state(("p", "cat/1.png", "cat", "train")), state(("p", "cat/2.png", "cat", "test")))
    assert rows(found.renamed) == [["cat/2.png", "cat", "cat/1.png"]]
    assert found.moved is not None and rows(found.moved) == [["cat/2.png", "cat", "train", "test"]]
    assert found.added.empty and found.removed.empty and found.relabelled.empty


def test_copies_under_several_labels_keep_them_when_renamed() -> None:
    found = compare(
        state(("p", "1.png", "cat", "train"), ("p", "2.png", "dog", "train")),
        state(("p", "3.png", "dog", "train"), ("p", "4.png", "cat", "train")),
    )
    assert rows(found.renamed) == [["3.png", "dog", "2.png"], ["4.png", "cat", "1.png"]]
    assert found.relabelled.empty and found.added.empty and found.removed.empty


def test_copies_are_counted_one_by_one() -> None:
    three = [("p", f"cat/{number}.png", "cat", "train") for number in range(3)]
    found = compare(state(*three), state(three[1], ("p", "dog/9.png", "dog", "train")))
    assert rows(found.relabelled) == [["dog/9.png", "dog", "cat/0.png", "cat"]]
    assert rows(found.removed) == [["cat/2.png", "cat"]] and found.added.empty
    assert found.copies == (2, 1)
    assert found.conflicts_added == ("cat/1.png (cat) = dog/9.png (dog)",)


def test_a_file_with_other_content_is_a_removal_and_an_addition() -> None:
    found = compare(state(("p", "cat/1.png", "cat", "train")), state(("q", "cat/1.png", "cat", "train")))
    assert rows(found.added) == rows(found.removed) == [["cat/1.png", "cat"]]


def test_the_comment_tells_each_change_with_its_numbers() -> None:
    before = state(
        ("p", "cat/1.png", "cat", "train"),
        ("q", "cat/2.png", "cat", "train"),
        ("r", "dog/1.png", "dog", "test"),
        metrics={
            "accuracy": 0.9,
            "accuracy_low": 0.88,
            "accuracy_high": 0.92,
            "loss": 0.3,
            "loss_low": 0.2,
            "loss_high": 0.4,
            "images": 1,
        },
    )
    after = state(
        ("p", "cat/1.png", "cat", "validation"),
        ("q", "dog/2.png", "dog", "train"),
        *((f"new {number}", f"elk/{number}.png", "elk", "train") for number in range(7)),
        rejects=("dog/broken.png",),
        classes=("cat", "dog", "elk"),
        metrics={
            "accuracy": 0.915,
            "accuracy_low": 0.9,
            "accuracy_high": 0.93,
            "loss": 0.25,
            "loss_low": 0.2,
            "loss_high": 0.3,
            "images": 0,
        },
    )
    text = to_markdown(compare(before, after))
    assert "**3 → 9 images**: 7 added, 1 removed, 1 relabelled, 1 moved between splits." in text
    assert "**The class list changed**: added `elk`; removed `owl`." in text
    assert "| `dog` | 1 | 1 | 0 | 1 | 1 | 0 | 0 |" in text
    assert "- `dog/2.png`: `cat` → `dog`, was `cat/2.png`" in text
    assert "- `cat/1.png` (`cat`): train → validation" in text
    assert "- … and 2 more" in text and "elk/5.png" not in text
    assert "- `dog/broken.png`: the file is empty" in text and "| Rejected files | 0 | 1 |" in text
    assert "| accuracy | 90.00% (88.00% to 92.00%) | 91.50% (90.00% to 93.00%) | +1.50 points |" in text
    assert "| loss | 0.3000 (0.2000 to 0.4000) | 0.2500 (0.2000 to 0.3000) | -0.0500 |" in text
    assert "test images are not the same" in text and "images | " not in text


def test_names_can_not_break_the_comment() -> None:
    odd = "cat/a|b `c` <script>\n# title.png"
    text = to_markdown(compare(state(), state(("p", odd, "c|d", "train"))))
    assert "`` cat/a|b `c` <script>␤# title.png ``" in text
    assert "| `c\\|d` | 0 | 1 |" in text
    assert not any(line.startswith("# ") for line in text.splitlines())


def test_a_thousand_classes_fit_a_comment() -> None:
    classes = tuple(f"class {number:04d} of a list with long names" for number in range(1000))
    many = [(str(number), f"{label}/{number}.png", label, "train") for number, label in enumerate(classes)]
    text = to_markdown(compare(state(classes=classes), state(*many, classes=classes)))
    assert len(text) < 65_536 and "950 more classes changed." in text


# Real revisions


def write_outputs(folder: Path, images: list[tuple[str, str, str]], accuracy: float | None) -> None:
    """What the stages would write for images of (content, label, split), under `folder/made`."""
    made = folder / "made"
    for stage in ("ingest", "validate", "split", "evaluate"):
        (made / stage).mkdir(parents=True, exist_ok=True)
    ids = [f"{number:016x}" for number in range(len(images))]
    shas = [content * 64 for content, _, _ in images]
    manifest = {
        "id": ids,
        "sha256": shas,
        "path": [f"{label}/{content}.png" for content, label, _ in images],
        "label": [label for _, label, _ in images],
    }
    pq.write_table(pa.table(manifest), made / "ingest" / "manifest.parquet")
    rejects = pa.table({"path": ["cat/broken.png"], "reason": ["the file is empty"]})
    pq.write_table(rejects, made / "ingest" / "rejects.parquet")
    ClassList(("cat", "dog")).save(made / "ingest" / "classes.json")
    pq.write_table(pa.table({"id": ids, "group": shas}), made / "validate" / "groups.parquet")
    splits = {"id": ids, "split": [split for _, _, split in images], "group": shas}
    pq.write_table(pa.table(splits), made / "split" / "splits.parquet")
    version = data_version(made / "ingest" / "manifest.parquet", made / "split" / "splits.parquet")
    scores = {"accuracy": accuracy, "accuracy_low": 0.5, "accuracy_high": 1.0, "images": 2}
    metrics = {"test": scores, "provenance": {"data_version": version}}
    (made / "evaluate" / "metrics.json").write_text(json.dumps(metrics))


def write_pipeline(folder: Path, stages: dict[str, str]) -> None:
    text = "stages:\n"
    for name, out in stages.items():
        text += f"  {name}:\n    cmd: mkdir -p {Path(out).parent} && cp -r made/{name} {out}\n"
        text += f"    deps: [made/{name}]\n    outs: [{out}]\n"
    (folder / "dvc.yaml").write_text(text)


def command(folder: Path, *words: str) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


def commit(folder: Path, name: str) -> None:
    command(folder, "git", "add", "-A")
    command(folder, "git", "commit", "-qm", name)
    command(folder, "git", "tag", name)


DATA_STAGES = {"ingest": "data/ingest", "validate": "data/validate", "split": "data/split"}
FIRST = [("a", "cat", "train"), ("b", "cat", "test"), ("c", "dog", "train"), ("d", "dog", "test")]
SECOND = [("a", "dog", "train"), ("b", "cat", "train"), ("d", "dog", "test"), ("e", "dog", "train")]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Revisions `empty` (no data), `first` (data, no scores) and `second`, pushed to a remote; the workspace is `second`."""
    folder = tmp_path_factory.mktemp("repository")
    dvc = [sys.executable, "-m", "dvc"]
    command(folder, "git", "init", "-q")
    command(folder, "git", "config", "user.name", "A Tester")
    command(folder, "git", "config", "user.email", "tester@example.org")
    command(folder, *dvc, "init", "-q")
    for setting, value in [("core.analytics", "false"), ("core.check_update", "false")]:
        command(folder, *dvc, "config", "-q", setting, value)
    command(folder, *dvc, "remote", "add", "-q", "--default", "shelf", str(folder.with_name("shelf")))
    commit(folder, "empty")
    write_outputs(folder, FIRST, None)
    write_pipeline(folder, DATA_STAGES)
    command(folder, *dvc, "repro", "-q")
    commit(folder, "first")
    write_outputs(folder, SECOND, 0.75)
    write_pipeline(folder, DATA_STAGES | {"evaluate": "reports/evaluate"})
    command(folder, *dvc, "repro", "-q")
    commit(folder, "second")
    command(folder, *dvc, "push", "-q", "--all-commits")
    return folder


@pytest.fixture
def inside(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    return repository


def require_first_to_second(found: Difference) -> None:
    assert rows(found.added) == [["dog/e.png", "dog"]]
    assert rows(found.removed) == [["dog/c.png", "dog"]]
    assert rows(found.relabelled) == [["dog/a.png", "dog", "cat/a.png", "cat"]]
    assert found.moved is not None and rows(found.moved) == [["cat/b.png", "cat", "test", "train"]]
    before, after = found.scores["accuracy"]
    assert before is None and after is not None and after.value == 0.75
    assert found.remarks == ("`first` has no reports/evaluate/metrics.json: evaluate has not been run there.",)


def test_two_git_revisions(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_first_to_second(compare(read_state("first"), read_state("second")))
    main(["first", "second", "--markdown", "comment.md"])
    told = capsys.readouterr().out
    assert "**4 → 4 images**: 1 added, 1 removed, 1 relabelled, 1 moved between splits." in told
    assert "| accuracy | not measured | 75.00% (50.00% to 100.00%) |" in told
    assert "> `first` has no reports/evaluate/metrics.json" in told
    assert Path("comment.md").read_text() == told


def test_the_workspace_is_a_revision_too(inside: Path) -> None:
    require_first_to_second(compare(read_state("first"), read_state("workspace")))
    assert compare(read_state("HEAD"), read_state("workspace")).data_is_equal


def test_a_clone_without_a_cache_reads_from_the_remote(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path, "git", "clone", "-q", str(repository), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    require_first_to_second(compare(read_state("first"), read_state("second")))
    assert not Path("data/ingest").exists(), "reading is not a checkout"


def refused(revision: str) -> str:
    with pytest.raises(DarkroomError) as error:
        read_state(revision)
    return str(error.value)


def test_revisions_that_can_not_be_read_say_why(
    inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "'nowhere'" in refused("nowhere") and "unknown Git revision" in refused("nowhere")
    assert "empty has no dvc.lock" in refused("empty")
    with pytest.raises(SystemExit) as left:
        main(["nowhere", "workspace"])
    told = capsys.readouterr()
    assert left.value.code == 1 and told.err.startswith("error: ") and "Traceback" not in told.err

    command(tmp_path, "git", "clone", "-q", str(inside), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    assert "the workspace has no data/ingest/manifest.parquet" in refused("workspace")
    command(tmp_path / "clone", sys.executable, "-m", "dvc", "remote", "remove", "shelf")
    message = refused("second")
    assert "data/ingest/manifest.parquet of second is neither in DVC's cache nor in its remote" in message
    assert "dvc push" in message


def test_outside_a_repository_nothing_is_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "can't read revision 'HEAD'" in refused("HEAD")


def test_tables_of_other_images_are_left_out_and_that_is_said(
    inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_outputs(tmp_path, FIRST, 0.5)
    for stage, out in (DATA_STAGES | {"evaluate": "reports/evaluate"}).items():
        (tmp_path / out).parent.mkdir(exist_ok=True)
        (tmp_path / "made" / stage).rename(tmp_path / out)
    write_outputs(tmp_path, FIRST[:3], None)
    (tmp_path / "made" / "ingest" / "manifest.parquet").replace(tmp_path / "data" / "ingest" / "manifest.parquet")
    monkeypatch.chdir(tmp_path)
    found = read_state("workspace")
    assert "split" not in found.images and "group" not in found.images
    assert len(found.remarks) == 3 and "measured on data version" in found.remarks[2]
    assert compare(found, found).moved is None
