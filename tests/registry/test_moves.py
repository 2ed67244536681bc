"""Promotion and rollback: tags and link move together or not at all, and every version answers as it did."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from darkroom.bundle.bundle import load_bundle
from darkroom.registry import bundle_of, champion, moves, promote, published, rollback, versions
from darkroom.registry.answers import ask, stored_answers
from darkroom.registry.published import answers_file, linked
from darkroom.registry.versions import LINK
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.git import git
from tests.support.registry import commit, make_git, pictures, promote_bundle, run_killed
from tests.support.tiny_bundle import make_bundle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_git(tmp_path / "repository")
    return tmp_path / "repository"


def state(root: Path) -> tuple[str, str | None]:
    return git(root, "for-each-ref", "refs/tags"), linked(root)


def test_a_promotion_publishes_tags_and_switches_the_link(root: Path) -> None:
    first = promote_bundle(root, 1)
    assert (first.number, first.tag, first.champion) == ("v1.0.0", "classifier@v1.0.0", True)
    second = promote_bundle(root, 2)
    assert [version.number for version in versions(root)] == ["v1.0.0", "v1.1.0"]
    assert champion(root) == second and second.decision["sentence"] == "model 2 is better"
    assert (root / LINK).readlink() == Path("v1.1.0")
    published_files = sorted(path.name for path in (root / LINK).iterdir())
    assert published_files == sorted(path.name for path in (root / "candidate 2").iterdir())
    assert bundle_of(root, first) == root / "models/serving/v1.0.0"
    assert not list((root / "models/serving").glob(".*"))


def test_other_classes_are_another_major_version(root: Path) -> None:
    promote_bundle(root, 1)
    assert promote_bundle(root, 2, classes=("a", "b")).number == "v2.0.0"
    assert promote_bundle(root, 3, classes=("a", "b")).number == "v2.1.0"


def test_rollback_and_forward_answer_bit_for_bit_as_they_did(root: Path) -> None:
    promote_bundle(root, 1)
    promote_bundle(root, 2)
    before = {number: stored_answers(answers_file(root, number)) for number in ("v1.0.0", "v1.1.0")}
    assert not np.array_equal(before["v1.0.0"][1], before["v1.1.0"][1])
    assert rollback(root).number == "v1.0.0"
    assert rollback(root, "v1.1.0").number == "v1.1.0"
    assert rollback(root).number == "v1.0.0" == linked(root)
    for number, (images, answers) in before.items():
        assert len(images) == 32
        assert np.array_equal(ask(load_bundle(root / "models/serving" / number, threads=1), images), answers)
    assert git(root, "tag", "--list", "classifier#*").splitlines()[-1] == "classifier#champion#5"


def test_rollback_goes_past_a_version_that_was_rolled_back_from(root: Path) -> None:
    promote_bundle(root, 1)
    promote_bundle(root, 2)
    rollback(root)
    promote_bundle(root, 3)
    assert rollback(root).number == "v1.0.0"
    with pytest.raises(DarkroomError, match=r"there is no champion before v1.0.0"):
        rollback(root)


def changed_byte(root: Path) -> None:
    file = root / "models/serving/v1.0.0/model.onnx"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def another_bundle(root: Path) -> None:
    shutil.rmtree(root / "models/serving/v1.0.0")
    make_bundle(root / "models/serving/v1.0.0", seed=9)


def other_answers(root: Path) -> None:
    shutil.copy(answers_file(root, "v1.1.0"), answers_file(root, "v1.0.0"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (changed_byte, "was changed"),
        (another_bundle, "is not v1.0.0"),
        (other_answers, "32 of 32 stored images otherwise"),
    ],
)
def test_a_version_with_another_byte_or_answer_is_refused(
    root: Path, damage: Callable[[Path], None], message: str
) -> None:
    promote_bundle(root, 1)
    promote_bundle(root, 2)
    damage(root)
    before = state(root)
    with pytest.raises(DarkroomError, match=message):
        rollback(root)
    assert state(root) == before


@pytest.mark.parametrize("fails", ["create_tags", "point", "publish"])
def test_what_fails_leaves_tags_and_link_as_they_were(root: Path, fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    promote_bundle(root, 1)
    before, works = state(root), getattr(moves, fails)

    def fail(*arguments: object) -> None:
        monkeypatch.undo()
        works(*arguments)
        raise SystemExit(143)

    monkeypatch.setattr(moves, fails, fail)
    with pytest.raises(SystemExit):
        promote_bundle(root, 2)
    assert state(root) == before
    assert promote_bundle(root, 3).number == "v1.1.0"


def test_a_copy_that_answers_otherwise_is_not_published(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    promote_bundle(root, 1)
    before = state(root)
    monkeypatch.setattr(published, "ask", lambda bundle, images: np.zeros((len(images), 3), np.float32))
    with pytest.raises(DarkroomError, match="32 of 32 stored images otherwise"):
        promote_bundle(root, 2)
    assert state(root) == before and not list((root / "models/serving").glob(".*"))


def test_a_published_bundle_without_its_stored_answers_stays_and_gets_them_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote_bundle(root, 1)
    promote_bundle(root, 2)
    answers_file(root, "v1.0.0").unlink()
    monkeypatch.setattr(moves, "_images_of", lambda *_: pictures())
    with monkeypatch.context() as failing:
        failing.setattr(published, "require_same_answers", fail)
        with pytest.raises(DarkroomError):
            rollback(root)
    load_bundle(root / "models/serving/v1.0.0")
    assert rollback(root).number == "v1.0.0" == linked(root)
    assert len(stored_answers(answers_file(root, "v1.0.0"))[0]) == len(pictures())


def fail(*_: object) -> None:
    raise DarkroomError("other answers")


def test_a_commit_is_one_version_and_versions_that_are_none_are_named(root: Path) -> None:
    first = promote_bundle(root, 1)
    with pytest.raises(DarkroomError, match=f"the commit {first.commit[:12]} is classifier@v1.0.0 already"):
        promote(root, first.commit, root / "candidate 1", {}, pictures())
    with pytest.raises(DarkroomError, match=r"there is no version v7.0.0: there are v1.0.0"):
        rollback(root, "v7.0.0")
    with pytest.raises(DarkroomError, match=r"v1.0.0 is the champion already"):
        rollback(root, "v1.0.0")


def test_a_champion_whose_link_is_gone_is_linked_again_without_a_new_tag(root: Path) -> None:
    promote_bundle(root, 1)
    tags, _ = state(root)
    (root / LINK).unlink()
    rollback(root, "v1.0.0")
    assert state(root) == (tags, "v1.0.0")


PROMOTE = """
from pathlib import Path
from tests.support.registry import pictures
from darkroom.registry import promote
promote(Path(), "HEAD", Path("candidate"), {"sentence": "better"}, pictures())
"""


@pytest.mark.slow
def test_a_promotion_killed_at_each_step_leaves_the_link_whole_and_the_next_one_puts_it_in_order(root: Path) -> None:
    promote_bundle(root, 1)
    make_bundle(root / "candidate", seed=2)
    commit(root)
    outcomes = set()
    for step in range(100):
        clone = root.parent / f"clone {step}"
        shutil.copytree(root, clone, symlinks=True)
        status, printed = run_killed(clone, PROMOTE, step)
        if status == 0:
            break
        assert status == -9, printed
        images, answers = stored_answers(answers_file(clone, str(linked(clone))))
        assert np.array_equal(ask(load_bundle(clone / LINK, threads=1), images), answers)
        now = champion(clone)
        assert now and (now.number, linked(clone)) in {("v1.0.0", "v1.0.0"), ("v1.1.0", "v1.0.0"), ("v1.1.0", "v1.1.0")}
        outcomes.add((now.number, linked(clone)))
        following = promote_bundle(clone, 3)
        assert following.number == ("v1.1.0" if now.number == "v1.0.0" else "v1.2.0") == linked(clone)
        assert champion(clone) == following
        shutil.rmtree(clone)
    else:
        pytest.fail("it never came to its end")
    assert len(outcomes) == 3 and step > 20
