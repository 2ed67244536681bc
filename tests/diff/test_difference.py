"""The difference of two versions: it adds up, it calls a relabel a relabel, it finds copies, and it fits a comment."""

import hashlib
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.diff import State, compare, to_markdown
from darkroom.diff.copies import find_leaks
from darkroom.diff.findings import findings, to_json
from darkroom.diff.galleries import OutlierScore, galleries
from darkroom.diff.markdown import MAX_CHARACTERS
from darkroom.diff.measures import class_shift, measured_shifts
from darkroom.diff.relabels import Relabels, relabel_matrix, relabels
from darkroom.labels.fixes import APPLIED
from darkroom.model.classes import ClassList
from tests.support.revisions import rows

CLASSES = ("cat", "dog", "owl")
# A comparison of tables takes tens of milliseconds, however small they are.
REPEATED = settings(max_examples=8)


def state(
    *images: tuple[str, str, str, str],
    rejects: tuple[str, ...] = (),
    classes: tuple[str, ...] = CLASSES,
    metrics: dict[str, float] | None = None,
) -> State:
    """A state of images given as (content, path, label, split); equal contents are a group."""
    ordered = sorted(images, key=lambda image: image[1])
    frame = pd.DataFrame(ordered, columns=["sha256", "path", "label", "split"], dtype=str)
    frame = frame.assign(group=frame["sha256"], user_group=pd.Series(None, index=frame.index, dtype=str))
    grey = [hashlib.sha256(content.encode()).digest()[0] / 255 for content in frame["sha256"]]
    frame = frame.assign(width=8, height=8, brightness=grey, contrast=0.5, sharpness=9.0, shard="s", offset=0, bytes=1)
    rejected = pd.DataFrame({"path": list(rejects), "reason": ["the file is empty"] * len(rejects)}, dtype=str)
    return State("x", frame, rejected, ClassList(classes), metrics)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Few contents, labels and paths, so that copies, relabels and renames are frequent; the path need not tell the label."""
    paths = draw(st.lists(st.sampled_from([f"{number}.png" for number in range(12)]), unique=True, max_size=12))
    splits = st.sampled_from(["train", "validation", "test"])
    return state(
        *((draw(st.sampled_from("pqrs")), path, draw(st.sampled_from(CLASSES)), draw(splits)) for path in paths),
        rejects=tuple(draw(st.sets(st.sampled_from(["1.gif", "2.gif", "3.gif"])))),
    )


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
    assert there.conflicts_added.equals(back.conflicts_resolved)
    assert len(there.rejects_added) == len(back.rejects_resolved)


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
    assert rows(found.conflicts_added) == [[0, "cat/1.png", "cat", True], [0, "dog/9.png", "dog", True]]


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
    assert "- `dog/broken.png`: `the file is empty`" in text and "| rejected files | 0 | 1 |" in text
    assert "| accuracy | 90.00% (88.00% to 92.00%) | 91.50% (90.00% to 93.00%) | +1.50 points |" in text
    assert "| loss | 0.3000 (0.2000 to 0.4000) | 0.2500 (0.2000 to 0.3000) | -0.0500 |" in text
    assert "test images are not the same" in text and "images | " not in text


def test_names_can_not_break_the_comment() -> None:
    odd = "cat/a|b `c` <script>\n# title.png"
    text = to_markdown(compare(state(), state(("p", odd, "c|d", "train"))))
    assert "`` cat/a|b `c` <script>\\n# title.png ``" in text
    assert "| `c\\|d` | 0 | 1 |" in text
    assert not any(line.startswith("# ") for line in text.splitlines())


def test_a_thousand_classes_fit_a_comment() -> None:
    classes = tuple(f"class {number:04d} of a list with long names" for number in range(1000))
    many = [(str(number), f"{label}/{number}.png", label, "train") for number, label in enumerate(classes)]
    text = to_markdown(compare(state(classes=classes), state(*many, classes=classes)))
    assert len(text) < 65_536 and "950 more classes changed." in text


def test_the_longest_names_fit_a_comment() -> None:
    classes = tuple(f"{number:03}" + "`|" * 2000 for number in range(200))
    many = [(str(number), f"{number}/" + "x|`" * 3000, label, "train") for number, label in enumerate(classes)]
    before, after = state(*many[:100], classes=classes[:100]), state(*many[100:], classes=classes[100:])
    text = to_markdown(compare(replace(before, remarks=("y" * MAX_CHARACTERS,)), after))
    assert len(text) <= 65_536 and "**100 → 100 images**" in text
    assert "1 more parts are too long for a comment." in text


# Label fixes


def decided(*fixes: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """Fixes of one reviewer given as (path, action, label, new label, reason)."""
    rows = [(*fix[:4], "Ann", fix[4]) for fix in fixes]
    return pd.DataFrame(rows, columns=APPLIED.names, dtype=str)


def test_what_reviewers_decided_is_told_with_their_names_and_reasons() -> None:
    one, two = ("p", "1.png", "cat", "train"), ("q", "2.png", "cat", "train")
    same, altered = ("1.png", "keep", "cat", "", "a cat"), ("2.png", "keep", "cat", "", "not sure")
    before = replace(state(one, two), fixes=decided(same, altered, ("9.png", "remove", "cat", "", "blurred")))
    fixes = decided(same, ("2.png", "relabel", "cat", "dog", "it barks"), ("3.png", "remove", "owl", "", "two owls"))
    after = replace(state(one, ("q", "2.png", "dog", "train")), fixes=fixes)
    found = compare(before, after)
    assert list(found.fixes_added["path"]) == ["2.png", "3.png"] and list(found.fixes_withdrawn["path"]) == ["9.png"]
    text = to_markdown(found)
    assert "**Label fixes** (2)" in text
    assert "- `2.png`: `relabelled from cat to dog` by `Ann`, `it barks`" in text
    assert "- `3.png`: `removed` by `Ann`, `two owls`" in text
    assert "**Label fixes withdrawn** (1)" in text and "- `9.png`: `removed` by `Ann`, `blurred`" in text
    assert "Label fixes" not in to_markdown(compare(after, after))


def test_beside_a_picture_stands_who_relabelled_or_removed_it() -> None:
    images = [("p", "1.png", "cat", "train"), ("q", "2.png", "cat", "train"), ("r", "3.png", "cat", "train")]
    before = state(*images)
    fixes = decided(
        ("1.png", "relabel", "cat", "dog", "it barks"),
        ("2.png", "remove", "cat", "", "two cats"),
        ("3.png", "keep", "cat", "", "a cat"),
    )
    after = replace(state(("p", "1.png", "dog", "train"), images[2]), fixes=fixes)
    shown = {gallery.title: gallery.frames for gallery in galleries(compare(before, after), before, after)}
    assert [(one.path, one.note) for one in shown["Relabelled"][0]] == [("1.png", "Ann: it barks")]
    assert [(one.path, one.note) for one in shown["Removed"][0]] == [("2.png", "Ann: two cats")]


# Copies


@REPEATED
@given(states(), states())
def test_the_names_of_groups_do_not_matter(before: State, after: State) -> None:
    renamed = replace(after, images=after.images.assign(group="other " + after.images["group"]))
    found, again = compare(before, after), compare(before, renamed)
    assert found.conflicts_added.equals(again.conflicts_added)
    assert found.conflicts_resolved.equals(again.conflicts_resolved)
    assert found.new_copies is not None and again.new_copies is not None
    assert found.new_copies.equals(again.new_copies)
    assert to_markdown(found) == to_markdown(again)


@REPEATED
@given(states(), states())
def test_every_added_copy_is_told_and_what_it_copies(before: State, after: State) -> None:
    found = compare(before, after)
    assert found.new_copies is not None
    contents = after.images.set_index("path")["sha256"]
    added = list(found.added["path"])
    old = [path for path in contents.index if path not in set(added)]
    expected = {}
    for number, path in enumerate(added):
        same = [each for each in (*old, *added[:number]) if contents[each] == contents[path]]
        if same:
            expected[path] = same[0]
    assert dict(zip(found.new_copies["path"], found.new_copies["of"], strict=True)) == expected
    assert list(found.new_copies["older"]) == [of in old for of in found.new_copies["of"]]


@REPEATED
@given(states())
def test_a_leak_is_a_content_in_two_splits(one: State) -> None:
    leaks = find_leaks(one.images, np.array([], dtype=np.int64))
    splits = one.images.groupby("sha256")["split"].nunique()
    leaking = one.images["sha256"].isin(splits[splits > 1].index)
    assert sorted(leaks.images["path"]) == sorted(one.images.loc[leaking, "path"]) and leaks.split_groups == 0


def test_a_near_copy_of_a_test_image_in_train_is_a_leak() -> None:
    before = state(("p", "1.png", "cat", "test"))
    after = state(("p", "1.png", "cat", "test"), ("q", "2.png", "cat", "train"))
    found = compare(before, replace(after, images=after.images.assign(group="g")))
    assert found.leaks is not None and rows(found.leaks.images) == [
        [0, "1.png", "cat", False, "test", False],
        [0, "2.png", "cat", False, "train", True],
    ]
    text = to_markdown(found)
    assert "**Leak: 1 group of copies in several splits,** with 2 images, 1 of them new." in text
    assert "- `1.png` (`test`) ≈ `2.png` (`train`)" in text
    assert "No leak:" in to_markdown(compare(before, after)), "and without the group there is none"


def test_equal_files_and_near_copies_have_signs_of_their_own() -> None:
    equal = [("p", "1.png", "cat", "train"), ("p", "2.png", "dog", "train")]
    near = [("q", "3.png", "cat", "train"), ("r", "4.png", "dog", "train")]
    both = state(*equal, *near)
    both = replace(both, images=both.images.assign(group=["g", "g", "h", "h"]))
    text = to_markdown(compare(state(), both))
    assert "- `1.png` (`cat`) = `2.png` (`dog`)" in text and "- `3.png` (`cat`) ≈ `4.png` (`dog`)" in text


def test_groups_joined_by_an_excluded_image_are_no_leak() -> None:
    one = state(("p", "1.png", "cat", "test"), ("q", "2.png", "cat", "train"), ("r", "3.png", "cat", "excluded"))
    leaks = find_leaks(one.images.assign(group="g"), np.array([2]))
    assert leaks.images.empty and leaks.split_groups == 1


def test_images_that_are_excluded_and_were_not_are_listed() -> None:
    old = [("p", "1.png", "cat", "test"), ("r", "4.png", "cat", "excluded")]
    before = state(*old, ("q", "2.png", "cat", "train"))
    after = state(*old, ("q", "2.png", "cat", "excluded"), ("q", "3.png", "dog", "excluded"))
    found = compare(before, after)
    assert found.excluded is not None and rows(found.excluded) == [["2.png", "cat"], ["3.png", "dog"]]
    text = to_markdown(found)
    assert "1 moved between splits, 2 excluded from all splits" in text
    assert "- `2.png` (`cat`): train → excluded" in text and "- `3.png` (`dog`)" in text
    assert "| images in excluded | 1 | 3 |" in text and "No leak:" in text
    unknown = replace(before, images=before.images.drop(columns="split"))
    assert compare(unknown, after).excluded is None


def test_images_that_the_user_keeps_together_are_no_copies() -> None:
    images = state(("p", "1.png", "cat", "train"), ("q", "2.png", "dog", "train"), ("q", "3.png", "dog", "train"))
    grouped = replace(images, images=images.images.assign(group="g", user_group="patient 7"))
    found = compare(state(), grouped)
    assert found.conflicts_added.empty and found.copies == (0, 1)
    assert compare(state(), replace(images, images=images.images.assign(group="g"))).copies == (0, 2)


def test_a_conflict_with_one_more_image_is_the_same_and_with_one_more_label_is_new() -> None:
    two = [("p", "1.png", "cat", "train"), ("p", "2.png", "dog", "train")]
    same = compare(state(*two), state(*two, ("p", "0.png", "dog", "train")))
    assert same.conflicts_added.empty and same.conflicts_resolved.empty
    other = compare(state(*two), state(*two, ("p", "3.png", "owl", "train")))
    assert list(other.conflicts_added["path"]) == ["1.png", "2.png", "3.png"]
    assert list(other.conflicts_resolved["path"]) == ["1.png", "2.png"]


# Rejects, shifts, outliers


def test_a_reject_is_resolved_when_it_is_ingested_or_gone() -> None:
    found = compare(state(rejects=("1.png", "2.png")), state(("p", "1.png", "cat", "train"), rejects=("3.png",)))
    assert rows(found.rejects_added) == [["3.png", "the file is empty"]]
    assert [row[::2] for row in rows(found.rejects_resolved)] == [["1.png", "ingested"], ["2.png", "gone"]]
    assert not found.data_is_equal


def test_class_shares_move_by_the_total_variation() -> None:
    before, after = pd.Series(["a"] * 50 + ["b"] * 50), pd.Series(["a"] * 80 + ["b"] * 20)
    whole, added = class_shift(before, after, pd.Series(["a"] * 30 + ["c"] * 30))
    assert abs(whole.significant_distance - 0.3) < 1e-12
    assert added is not None and abs(added.significant_distance - 0.5) < 1e-12


def test_a_few_outliers_among_many_show_in_the_added_images() -> None:
    many = [(f"p{number}", f"{number:03}.png", "cat", "train") for number in range(300)]
    before, after = state(*many), state(*many, *((f"q{n}", f"q{n}.png", "cat", "train") for n in range(10)))
    odd = after.images["path"].str.startswith("q")
    found = compare(before, replace(after, images=after.images.assign(sharpness=np.where(odd, 1.0, 9.0))))
    sharpness = next(shift for shift in found.shifts if shift.name == "sharpness")
    assert sharpness.whole.significant_distance == 0 and sharpness.whole.distance < 0.05
    assert sharpness.added is not None and sharpness.added.significant_distance == 1
    assert "| sharpness | 9 | 9 | 0.032 (p = 0.995) | **1.000 (p < 0.001)** |" in to_markdown(found)


def test_the_largest_outlier_is_the_one_furthest_from_the_old_data() -> None:
    old = state(*((f"p{number}", f"{number}.png", "cat", "train") for number in range(50))).images
    images = old.head(3).assign(width=[8, 8, 800], contrast=[0.5, 0.1, 0.5])
    outliers = OutlierScore(old)
    scores = outliers.scores(images)
    assert scores[2] > scores[1] > scores[0]
    assert outliers.reasons(images)[2].startswith("width / height 100.00, ")
    assert outliers.reasons(images)[1] == "contrast 0.10, 40.0 deviations below"


def test_an_aspect_and_its_inverse_and_a_size_and_its_inverse_are_equally_strange() -> None:
    old = state(*((f"p{number}", f"{number}.png", "cat", "train") for number in range(50))).images
    old = old.assign(width=80, height=80)
    wide, tall, large, small = OutlierScore(old).scores(
        old.head(4).assign(width=[400, 30, 800, 8], height=[30, 400, 800, 8])
    )
    assert abs(wide - tall) < 1e-9 and abs(large - small) < 1e-9
    shift = measured_shifts(old, old.head(2).assign(width=[400, 30], height=[30, 400]), old.head(0))[1]
    assert np.allclose(shift.edges * shift.edges[::-1], shift.edges[0] * shift.edges[-1])


def test_changes_of_test_images_are_counted_once_each_and_others_are_not() -> None:
    before = state(
        ("p", "cat/1.png", "cat", "test"),
        ("q", "cat/2.png", "cat", "test"),
        ("r", "cat/3.png", "cat", "test"),
        ("s", "cat/4.png", "cat", "train"),
        ("t", "cat/5.png", "cat", "test"),
    )
    after = state(
        ("p", "dog/1.png", "dog", "test"),
        ("r", "cat/3.png", "cat", "train"),
        ("s", "dog/4.png", "dog", "test"),
        ("t", "cat/renamed.png", "cat", "test"),
    )
    found = compare(before, after)
    assert found.test_changed is not None
    assert found.test_changed.to_numpy().tolist() == [
        ["cat/1.png", "cat", "relabelled to dog"],
        ["cat/2.png", "cat", "removed"],
        ["cat/3.png", "cat", "moved to train"],
    ]
    assert findings(found) == {"test-changed": "3 test images relabelled, removed or moved"}
    assert "cat/3.png` (`cat`): `moved to train`" in to_markdown(found)
    assert findings(compare(before, before)) == {}


def test_what_could_not_be_checked_is_a_finding() -> None:
    before = state(("p", "1.png", "cat", "test"))
    unknown = replace(before, images=before.images.drop(columns=["split", "group"]))
    assert set(findings(compare(before, unknown))) == {"leak", "test-changed"}


def test_all_relabels_are_counted_from_class_to_class_with_what_the_model_says() -> None:
    old = [("cat", f"{number}.png") for number in range(7)] + [("dog", "7.png")]
    before = state(*((path, path, label, "train") for label, path in old))
    after = state(*((path, path, "owl" if label == "dog" else "dog", "train") for label, path in old))
    found = compare(before, after)
    predicted = {"0.png": "dog", "1.png": "dog", "2.png": "cat", "3.png": "owl"}
    pairs = relabels(found, predicted)
    assert pairs == [Relabels("cat", "dog", 7, (1, 2, 1)), Relabels("dog", "owl", 1, None)]
    text = to_markdown(found, pairs)
    assert "| Relabelled from ↓ to → | `cat` | `dog` | `owl` |\n" in text
    assert "\n| `cat` |  | 7 |  |\n| `dog` |  |  | 1 |\n" in text
    assert "| `cat` | `dog` | 7 | 1 | 2 | 1 |" in text
    assert to_json(found, pairs)["relabels"][0] == {
        "before": "cat",
        "after": "dog",
        "images": 7,
        "predicted": (1, 2, 1),
    }
    json.dumps(to_json(found, pairs))
    assert relabel_matrix(pairs) == (["cat", "dog", "owl"], [("cat", [0, 7, 0]), ("dog", [0, 0, 1])])
    many = [Relabels(str(number), str(number + 1), 1, None) for number in range(12)]
    assert relabel_matrix(many) == ([], [])
