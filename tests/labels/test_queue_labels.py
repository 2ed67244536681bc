"""Labels of the queue: what is written is read, and each stands for as many images as its place in the sample says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darkroom.labels.inbox import Correction, Inbox
from darkroom.labels.inbox_survey import survey_inbox, write_inbox_survey
from darkroom.labels.queue_labels import (
    COLUMNS,
    LABELS,
    QueueLabel,
    inbox_labels,
    label_weights,
    mark_taken,
    new_labels,
    read_queue_labels,
    write_queue_labels,
)
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import INBOX
from darkroom.sources.source import Location

ONE = QueueLabel("a" * 64, "cat", "Ann", "2026-11-28T09:00:00+00:00", "far", "dog", 0.5, "b" * 64, "p", 10, 0, 1.0)


def label(rank: int, kind: str = "border", **more: object) -> QueueLabel:
    return replace(ONE, rank=rank, kind=kind, **more)  # type: ignore[arg-type]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    odd = [replace(ONE, label='=a, "b"\n', reviewer="=Ann, B"), replace(ONE, label="", share=0.25)]
    write_queue_labels(tmp_path, odd)
    assert read_queue_labels(tmp_path) == odd
    assert "'=Ann" in (tmp_path / LABELS).read_text()
    assert (tmp_path / LABELS).stat().st_mode & 0o077 == 0
    assert read_queue_labels(tmp_path / "none") == []


@pytest.mark.parametrize("damage", ["sha256\n", f"{','.join(COLUMNS)}\na,b\n", f"{','.join(COLUMNS)}\n{'x,' * 11}x\n"])
def test_a_damaged_table_is_named(tmp_path: Path, damage: str) -> None:
    (tmp_path / LABELS).write_text(damage)
    with pytest.raises(DarkroomError, match=r"labels\.csv is no table of labels"):
        read_queue_labels(tmp_path)


def test_weights_are_of_the_two_strata() -> None:
    # Two were asked in order, so the order is down to place 2; three of the other eight were drawn.
    labels = [label(0), label(1), label(4, "random"), label(7, "random"), label(9, "random")]
    assert label_weights(labels).tolist() == [1, 1, 8 / 3, 8 / 3, 8 / 3]
    # One that was drawn before the order came to its place is of the first stratum; one that was skipped counts as not asked.
    labels = [label(0), label(1, "random"), label(3), label(8, "random")]
    assert label_weights(labels).tolist() == [4 / 3, 4 / 3, 4 / 3, 6]
    assert label_weights([label(0, "random", share=0.1), label(5, "random", share=0.5)]).tolist() == [50, 10]


def test_labels_that_stand_for_no_others_weigh_nothing() -> None:
    assert label_weights([label(0), label(1), label(0, pool="")]).tolist() == [0, 0, 0]
    assert label_weights([label(0, pool_images=1)]).tolist() == [1]


def test_the_weighted_mean_is_unbiased_though_the_hard_ones_are_asked_first() -> None:
    rng = np.random.default_rng(0)
    correct = np.r_[np.zeros(20), rng.random(180) < 0.9]
    means, plain = [], []
    for _ in range(400):
        drawn = rng.permutation(200)
        labels, asked = [], set[int]()
        for number in range(50):
            pool = drawn if number % 5 == 0 else np.arange(200)
            rank = int(next(each for each in pool if each not in asked))
            asked.add(rank)
            labels.append(label(rank, "border" if number % 5 else "random", pool_images=200))
        found, weights = correct[[each.rank for each in labels]], label_weights(labels)
        assert weights.sum() == pytest.approx(200)
        means.append((found * weights).sum() / weights.sum())
        plain.append(found.mean())
    assert abs(np.mean(means) - correct.mean()) < 3 * np.std(means) / 20
    assert np.mean(plain) < correct.mean() - 0.1


def test_new_labels_are_those_that_no_retraining_has_taken(tmp_path: Path) -> None:
    assert new_labels(tmp_path) == 0
    inbox = Inbox(tmp_path / INBOX)
    for name in "abc":
        inbox.add(b"x", name * 64, "png", Correction("cat", "Ann", "why"))
    write_queue_labels(tmp_path / INBOX, [replace(ONE, sha256="d" * 64, label=""), ONE])
    assert inbox_labels(tmp_path / INBOX) == {"a" * 64: "cat", "b" * 64: "cat", "c" * 64: "cat", "d" * 64: None}
    assert new_labels(tmp_path) == 3, "none of the classes is nothing to train on"
    location, surveyed = Location(tmp_path / "images", None, 1), tmp_path / "survey"
    surveyed.mkdir()
    write_inbox_survey(survey_inbox(tmp_path / INBOX, location, tmp_path / "cache"), surveyed)
    inbox.add(b"x", "e" * 64, "png", Correction("cat", "Ann", "while the candidate is made"))
    mark_taken(tmp_path, surveyed)
    assert new_labels(tmp_path) == 1
    inbox.remove("e" * 64)
    assert new_labels(tmp_path) == 0
    inbox.add(b"x", "a" * 64, "png", Correction("dog", "Ann", "why"))
    inbox.remove("b" * 64)
    assert new_labels(tmp_path) == 1
