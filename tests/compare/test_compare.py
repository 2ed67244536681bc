"""Two models on the same images: what is shared, what is found, the summary; and real revisions."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser

from darkroom.compare.__main__ import main
from darkroom.compare.comparison import Comparison, ConfusionChange, changed_confusions, compare
from darkroom.compare.predictions import revision_predictions
from darkroom.compare.text import to_markdown
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.revisions import Workspace
from tests.support.gated import candidate_root, marked, model
from tests.support.two_models import scored, two_models

LABELS = [k % 3 for k in range(300)]


def wrong_on(rows: range) -> list[int]:
    return [(label + 1) % 3 if k in rows else label for k, label in enumerate(LABELS)]


def found(before: list[int], after: list[int]) -> Comparison:
    return compare(scored("old", LABELS, before), scored("new", LABELS, after))


def test_only_the_images_that_changed_sides_count() -> None:
    comparison = found(wrong_on(range(0, 40)), wrong_on(range(20, 50)))
    assert (comparison.both_correct, comparison.both_wrong, comparison.other_mistake) == (250, 20, 0)
    assert sorted(comparison.lost.tolist()) == list(range(40, 50))
    assert sorted(comparison.won.tolist()) == list(range(20))
    assert comparison.accuracy.value == pytest.approx(10 / 300)
    assert comparison.before.correct == 260 and comparison.after.correct == 270
    # 10 against 20: two-sided exact 0.0987, mid-p a little less.
    assert comparison.p == pytest.approx(0.0707, abs=5e-4)
    assert not comparison.differs
    assert (
        to_markdown(comparison)
        .splitlines()[2]
        .startswith("**There is no significant difference between `old` and `new`.**")
    )


def test_a_better_model_is_called_better_and_the_other_way_round_worse() -> None:
    better, worse = (found(*sides) for sides in ((wrong_on(range(40)), LABELS), (LABELS, wrong_on(range(40)))))
    assert "**`new` is better than `old`.** 100.00% of 300 test images against 86.67%: +13.33 points" in to_markdown(
        better
    )
    assert "**`new` is worse than `old`.**" in to_markdown(worse)
    assert better.accuracy.low == pytest.approx(-worse.accuracy.high)
    assert better.macro_f1.difference.low > 0 > worse.macro_f1.difference.high
    assert better.loss.high < 0 < worse.loss.low


def test_a_class_that_got_worse_is_listed_though_the_model_is_as_good() -> None:
    cats, dogs = ([k for k, label in enumerate(LABELS) if label == kind] for kind in (0, 1))
    before = [2 if k in dogs[:20] else label for k, label in enumerate(LABELS)]
    after = [1 if k in cats[:20] else label for k, label in enumerate(LABELS)]
    comparison = found(before, after)
    assert not comparison.differs
    assert [each.name for each in comparison.changed_classes(worse=True)] == ["cat"]
    assert [each.name for each in comparison.changed_classes(worse=False)] == ["dog"]
    assert [each.name for each in comparison.classes] == ["cat", "eel", "dog"], "the worst first"
    assert "Of 3 classes, 1 got worse (`cat`) and 1 got better (`dog`)." in to_markdown(comparison)
    assert changed_confusions(comparison.shared, 5) == [
        ConfusionChange("cat", "dog", 0, 20),
        ConfusionChange("dog", "eel", 20, 0),
    ]


def test_a_model_and_itself_do_not_differ() -> None:
    comparison = found(wrong_on(range(30)), wrong_on(range(30)))
    assert comparison.p == 1 and comparison.accuracy.value == 0 and not comparison.differs
    assert not len(comparison.lost) and not len(comparison.won)
    assert comparison.accuracy.low < 0 < comparison.accuracy.high, "equal here is not certainly equal elsewhere"


def test_rarely_is_a_difference_found_between_equals() -> None:
    rng = np.random.default_rng(0)
    significant = {"model": 0, "class": 0}
    for _ in range(150):
        sides = [
            [int(k) if correct else (k + 1) % 3 for k, correct in zip(LABELS, rng.random(300) < 0.8, strict=True)]
            for _ in range(2)
        ]
        comparison = found(*sides)
        significant["model"] += comparison.differs
        significant["class"] += bool(comparison.changed_classes(True) or comparison.changed_classes(False))
    # One in twenty is the promise; 150 tries are good to 4 points.
    assert max(significant.values()) <= 0.09 * 150


def test_images_of_one_side_are_left_out_and_listed() -> None:
    before = scored("old", LABELS[:5], LABELS[:5], ["a", "b", "c", "d", "e"])
    after = scored("new", [LABELS[3], LABELS[1], 0], [0, 1, 0], ["d", "b", "x"])
    comparison = compare(before, after)
    assert comparison.shared.ids == ["d", "b"] and comparison.images == 2
    assert comparison.shared.only_before == ["a.png", "c.png", "e.png"]
    text = to_markdown(comparison)
    assert "> 3 test images of `old` are left out, since `new` was not tested on them; the first is `a.png`." in text
    assert "> 1 test image of `new` is left out, since `old` was not tested on it; the first is `x.png`." in text


def test_other_labels_other_classes_and_no_image_in_common_are_refused() -> None:
    before = scored("old", [0, 1, 2], [0, 1, 2])
    with pytest.raises(
        DarkroomError, match=r"2 of 3 shared .* other labels .* 0000000000000001\.png, dog before and eel after"
    ):
        compare(before, scored("new", [0, 2, 1], [0, 1, 2]))
    with pytest.raises(DarkroomError, match=r"none of the 3 test images of old is among the 1 of new"):
        compare(before, scored("new", [0], [0], ["x"]))
    more = replace(before, name="new", classes=ClassList(("cat", "dog", "emu")))
    with pytest.raises(DarkroomError, match=r"1 only in old: eel; 1 only in new: emu"):
        compare(before, more)
    with pytest.raises(DarkroomError, match="they are in another order"):
        compare(before, replace(before, classes=ClassList(("dog", "cat", "eel"))))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_models(tmp_path_factory.getbasetemp())


def test_two_revisions_give_a_page_a_record_and_a_text(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    out = tmp_path / "compared"
    main(["first", "workspace", "--out", str(out)])
    printed = capsys.readouterr().out
    assert (
        "**There is no significant difference between `first` and `workspace`.** 93.10% of 29 test images against 93.10%"
        in printed
    )
    assert "- `cat/03.png` (`cat`): `dog` 80.0% → `cat` 80.0%" in printed
    assert "- `dog/04.png` (`dog`): `dog` 80.0% → `eel` 80.0%" in printed
    assert "1 test image of `workspace` is left out" in printed
    record = json.loads((out / "compare.json").read_text())
    assert [each["path"] for each in record["lost"]] == ["dog/04.png"]
    assert record["images"] == 29 and record["before"]["revision"] == "first"
    page = (out / "index.html").read_text()
    assert page.count("<img ") == 2 and "can't be shown" not in page
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    main(["first", "workspace", "--out", str(out)])
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_both_bundles_are_rescored_on_the_labels_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = marked({}, 3, 3000, "train")
    then = candidate_root(tmp_path / "then", [*marked({}, 30), *trained], [1], ("ant", "bee"))
    # Since then a class came in, one ant is said to be a bee, and all images are others; three were trained on.
    now = marked({1: 20}, 60, 1000)
    now[2] = replace(now[2], label="bee")
    root = candidate_root(tmp_path / "now", [*now, *(replace(each, split="test") for each in trained)], [])
    revisions = {"then": Workspace(then), "workspace": Workspace(root)}
    monkeypatch.setattr("darkroom.compare.rescoring.open_revision", lambda name: nullcontext(revisions[name]))
    monkeypatch.chdir(root)
    main(["then", "workspace", "--rescore"])
    printed = capsys.readouterr().out
    assert "3 test images of workspace left out, since the model of then was trained on them" in printed
    record = json.loads((root / "reports/compare/compare.json").read_text())
    # The older model knows no cow, takes the ten marked ants for bees, and is right about the one.
    assert (record["images"], record["before"]["correct"], record["after"]["correct"]) == (60, 31, 59)
    with pytest.raises(SystemExit) as ended:
        revisions["then"], revisions["workspace"] = revisions["workspace"], Workspace(worse(root, tmp_path / "worse"))
        main(["then", "workspace", "--rescore"])
    assert ended.value.code == 4


def worse(root: Path, copy: Path) -> Path:
    """The same data, and a bundle that is wrong on the images with mark 1; none was trained on."""
    shutil.copytree(root, copy)
    shutil.rmtree(copy / "models/export")
    model(copy / "models/export", [1])
    return copy


def test_the_page_fits_a_phone_and_asks_for_nothing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: Browser
) -> None:
    monkeypatch.chdir(repository)
    main(["first", "second", "--out", str(tmp_path / "compared")])
    requests: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
    page.on("request", lambda request: requests.append(request.url))
    page.goto((tmp_path / "compared/index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("[...document.images].every(image => image.naturalWidth == 8 && image.alt)")
    assert all(url.startswith(("file:", "data:")) for url in requests)
    page.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["empty", "second"], "empty has no reports/evaluate/predictions.parquet: nothing had been evaluated there"),
        (["first", "nowhere"], "can't read revision 'nowhere': unknown Git revision 'nowhere'; name a commit"),
        (["first", ""], "a revision has an empty name: name a commit"),
        (["first", "second", "--out", "data"], "data holds other files (ingest and 2 more): give a folder of its own"),
        (["first", "second", "--out", "dvc.yaml"], "can't write to dvc.yaml: it is a file"),
    ],
)
def test_what_can_not_be_compared_is_refused_in_a_sentence(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(SystemExit):
        main([*arguments, *([] if "--out" in arguments else ["--out", "reports/compare"])])
    assert message in capsys.readouterr().err
    assert (repository / "data/ingest").is_dir() and not (repository / "reports/compare").exists()


@pytest.fixture
def evaluated(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of its own with what was evaluated; the folder of the reports."""
    for folder in ("data", "reports"):
        shutil.copytree(repository / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "reports/evaluate").iterdir():
        path.write_bytes(replaced(path))
    return tmp_path / "reports/evaluate"


def replaced(path: Path) -> bytes:
    """The bytes of a file that is removed: it may be a link into DVC's cache."""
    data = path.read_bytes()
    path.unlink()
    return data


@pytest.mark.parametrize("name", ["metrics.json", "predictions.parquet"])
def test_a_damaged_report_is_named_with_its_remedy(evaluated: Path, name: str) -> None:
    (evaluated / name).write_text("{")
    with pytest.raises(DarkroomError, match=rf"{name} of workspace is damaged .*`dvc checkout --force`"):
        revision_predictions("workspace")


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("label", ["cow", *["dog"] * 29], "1 of 30 rows have a label that is none of its classes"),
        ("id", ["a"] * 30, "29 of 30 rows have the id of another row"),
        ("id", [None] * 30, "Casting field 'id' with null values to non-nullable"),
        ("probabilities", [[float("nan"), 0.5, 0.5]] * 30, "30 of 30 rows have probabilities that do not add up to 1"),
        ("probabilities", [[2.0, -0.5, -0.5]] * 30, "30 of 30 rows have probabilities that do not add up to 1"),
        ("probabilities", [[0.5, 0.5]] * 30, "ListType can only be casted to FixedSizeListType if"),
    ],
)
def test_predictions_that_can_not_be_are_refused(evaluated: Path, column: str, values: list[object], says: str) -> None:
    table = pq.read_table(evaluated / "predictions.parquet")
    changed = table.set_column(table.column_names.index(column), column, pa.array(values))
    pq.write_table(changed, evaluated / "predictions.parquet")
    with pytest.raises(DarkroomError) as caught:
        revision_predictions("workspace")
    assert str(caught.value).startswith(f"reports/evaluate/predictions.parquet of workspace is damaged ({says}")


def test_a_confidence_that_can_not_be_is_refused(evaluated: Path) -> None:
    content = json.loads((evaluated / "metrics.json").read_text())
    (evaluated / "metrics.json").write_text(json.dumps(content | {"confidence": 95}))
    with pytest.raises(DarkroomError, match="confidence is 95, should be less than 1"):
        revision_predictions("workspace")
