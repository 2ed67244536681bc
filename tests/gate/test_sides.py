"""A champion whose data is known: images that it was trained on, old and new ones, changed test images, and the anchor."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darkroom.bundle.bundle import INDEX, load_bundle
from darkroom.compare.labelled import data_splits, labelled_test_images
from darkroom.gate import gate
from darkroom.gate.comparisons import calibration_change, slice_changes, slices_check
from darkroom.gate.hard_checks import changes_check, find_changes
from darkroom.gate.scores import pair, score
from darkroom.gate.sides import Side, open_anchor
from darkroom.registry.versions import Version
from darkroom.runtime.files import file_hash
from darkroom.runtime.revisions import Workspace
from tests.gate.test_gate import failed, quick
from tests.support.gated import candidate_root, marked
from tests.support.revisions import Kept
from tests.support.two_models import answer

__all__ = ["quick"]


def side(root: Path, version: Version | None = None) -> Side:
    """The model of a root, whose data is known."""
    revision, bundle = Workspace(root), root / "models/export"
    return Side(root.name, version, load_bundle(bundle), file_hash(bundle / INDEX), revision, data_splits(revision))


def version(number: str, anchor: str) -> Version:
    return Version(number, "c" * 40, "2026-11-28", "", {"anchor": {"version": None, "next": anchor}}, True)


THEN = [*marked({0: 3}, 90), *marked({}, 30, 1000, "train"), *marked({}, 9, 2000, "validation")]


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 test images, 30 to train on, 9 to validate; the model is wrong on mark 0."""
    return candidate_root(tmp_path_factory.mktemp("champion") / "v1.1.0", THEN, [0])


def moved(images: list[Kept], split: str = "test") -> list[Kept]:
    """The same bytes in other files."""
    return [replace(each, path=f"{each.label}/moved {each.path[-8:]}", split=split) for each in images]


def test_images_that_the_champion_was_trained_on_or_chosen_by_are_left_out_also_when_moved(
    champion: Path, tmp_path: Path
) -> None:
    new = marked({1: 12}, 60, 3000)
    root = candidate_root(tmp_path / "now", [*THEN[:90], *moved(THEN[90:]), *new], [1])
    first, second = side(champion), side(root)
    assert second.data is not None
    scores = score(labelled_test_images(Workspace(root), second.data), [first, second])
    pairs = pair(scores, first, second)
    assert pairs.trained_on == 39 and pairs.counts() == (12, 3, 150)
    assert pairs.old is not None and (pairs.counts(pairs.old), pairs.counts(~pairs.old)) == ((0, 3, 90), (12, 0, 60))
    changes = slice_changes(scores, pairs, 0.02)
    assert (changes[0].kind, changes[0].name, changes[0].lost) == ("images", "new", 12)
    assert changes[0].change.value == pytest.approx(-0.2) and {each.kind for each in changes} == {"class", "images"}
    reason = slices_check(changes, 0.02)
    assert not reason.passed and "new images -20.00 points" in reason.words
    assert slices_check(slice_changes(scores, pairs, 0.4), 0.4).passed


def test_changed_test_images_need_a_label_fix_or_somebody_who_looked(champion: Path, tmp_path: Path) -> None:
    test = list(THEN[:90])
    test[4] = replace(test[4], label="cow")
    root = candidate_root(tmp_path / "now", [*moved(test[1:10]), *test[10:], *marked({}, 3, 4000, "train")])
    first, second = side(champion), side(root)
    assert first.data is not None and second.data is not None
    found = find_changes(first.data, second.data, Workspace(root))
    assert (found.relabelled, found.removed, found.reviewed) == (["cow/moved 0004.png"], ["ant/0000.png"], 0)
    held = changes_check(first, second.data, Workspace(root), accepted=False)
    assert not held.passed and held.otherwise == "hold" and "1 were relabelled and 1 are" in held.words
    assert changes_check(first, second.data, Workspace(root), accepted=True).passed


def test_the_anchor_holds_up_what_the_champion_lets_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = marked({0: 12, 1: 12}, 1500)
    # Of 1,500 images the champion is wrong on 12, and the candidate on 12 more: each step is within the margin of a point.
    roots = [candidate_root(tmp_path / name, images, wrong) for name, wrong in (("v1.0.0", ()), ("v1.1.0", (0,)))]
    root = candidate_root(tmp_path / "now", images, (0, 1))
    anchor, old = side(roots[0], version("v1.0.0", "candidate")), side(roots[1], version("v1.1.0", "v1.0.0"))
    monkeypatch.setattr(gate, "open_champion", lambda *_: old)
    monkeypatch.setattr(gate, "open_anchor", lambda *_: old)
    alone = gate.run(root)
    monkeypatch.setattr(gate, "open_anchor", lambda *_: anchor)
    anchored = gate.run(root)
    assert alone.reasons[3].numbers["lost"] == 12 and anchored.reasons[4].numbers["lost"] == 24
    assert ("anchor", "reject") in failed(anchored)
    assert anchored.anchor == {"version": "v1.0.0", "next": "v1.0.0"} and alone.anchor == {
        "version": None,
        "next": "v1.1.0",
    }
    assert anchored.reasons[4].numbers["margin"] == pytest.approx(0.005)


def test_the_champion_is_its_own_anchor_where_it_was_shown_to_be_better(champion: Path) -> None:
    best = side(champion, version("v1.1.0", "candidate"))
    assert open_anchor(best, champion, None) is best  # type: ignore[arg-type]
    assert open_anchor(side(champion), champion, None).title == "v1.1.0"  # type: ignore[arg-type]


def test_calibration_is_compared_on_the_same_images() -> None:
    labels = np.array([0, 1, 2, 0] * 25)
    predicted = labels.copy()
    predicted[:20] = (labels[:20] + 1) % 3
    good, overconfident = answer(predicted.tolist(), 0.8), answer(predicted.tolist(), 0.99)
    (before, after), change = calibration_change(good, overconfident, labels)
    # 80% are correct: confidence of 0.8 has no error, and 0.99 one of 19 points.
    assert before == pytest.approx(0, abs=1e-6) and after == pytest.approx(0.19, abs=1e-6)
    assert change.value == pytest.approx(0.19, abs=1e-6) and change.low > 0.02
