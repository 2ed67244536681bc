"""Suspected label errors: planted ones are found, clean labels are left in peace, and a reviewer can sign the list."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.datasets import load_digits

from darkroom.evaluation.label_errors import (
    FOLDS,
    SUSPECTS,
    Float32s,
    cross_validated_head,
    label_suspects,
    write_suspects,
)
from darkroom.images.pack import Packed
from darkroom.labels.fixes import read_label_fixes
from darkroom.model.classes import ClassList
from darkroom.network.cnn import SmallImageNet
from darkroom.network.load import Normalized
from darkroom.statistics.metrics import Int64s

CLASSES = ClassList(tuple("abcdefghij"))
EVERY = np.ones(10, dtype=bool)


def digits() -> tuple[Packed, Packed]:
    """900 training and 200 validation images of 8 x 8 pixels."""
    found = load_digits()
    images = np.round(found.images * (255 / 16)).astype(np.uint8)[..., None]
    ids = np.array([f"{number:016x}" for number in range(1100)], dtype="S16")
    labels = found.target.astype(np.int64)
    return Packed(images[:900], labels[:900], ids[:900]), Packed(images[900:1100], labels[900:1100], ids[900:])


def flipped(packed: Packed, every: int) -> Packed:
    """Each so-many-th image under the next label."""
    labels = packed.labels.copy()
    labels[::every] = (labels[::every] + 1) % 10
    return replace(packed, labels=labels)


def sure_of(labels: Int64s) -> Float32s:
    """The answers of a model that knows."""
    answers: Float32s = (0.01 + 0.9 * np.eye(10)[labels]).astype(np.float32)
    return answers


@pytest.fixture(scope="module")
def model() -> Normalized:
    """A network that has learnt nothing: features of random weights tell digits apart well enough."""
    torch.manual_seed(0)
    return Normalized(SmallImageNet(10, 1, 32, 0.0), [0.3], [0.35]).eval()


PATHS = {f"{number:016x}": f"folder/{number}, of many.png" for number in range(1100)}


def suspects_of(model: Normalized, train: Packed, validation: Packed, settled: tuple[str, ...] = ()) -> pa.Table:
    answers = sure_of(digits()[1].labels)[: len(validation.labels)]
    return label_suspects(model, train, validation, answers, CLASSES, PATHS, settled)


def test_planted_errors_are_found_and_few_others(model: Normalized) -> None:
    train, validation = digits()
    assert len(suspects_of(model, train, validation)) <= 0.03 * 1100
    rows = suspects_of(model, flipped(train, 20), flipped(validation, 20)).to_pylist()
    planted = {name for name in PATHS if int(name, 16) % 20 == 0}
    found = {row["id"] for row in rows}
    assert len(found & planted) >= 0.65 * len(planted) and len(found - planted) <= 0.03 * 1100
    true = load_digits().target
    named = [row["suggested"] == CLASSES.names[true[int(row["id"], 16)]] for row in rows if row["id"] in planted]
    assert np.mean(named) > 0.85


def test_the_table_says_where_each_is_and_the_surest_come_first(model: Normalized) -> None:
    train, validation = (flipped(packed, 20) for packed in digits())
    before = [tensor.clone() for tensor in model.state_dict().values()]
    table = suspects_of(model, train, validation)
    assert all(torch.equal(one, other) for one, other in zip(before, model.state_dict().values(), strict=True))
    assert all(tensor.is_contiguous() for tensor in model.state_dict().values()) and not model.training
    assert table.schema.equals(SUSPECTS) and table.equals(suspects_of(model, train, validation))
    labels = np.concatenate([train.labels, validation.labels])
    for row in table.to_pylist():
        number = int(row["id"], 16)
        assert row["path"] == PATHS[row["id"]] and row["split"] == ("train" if number < 900 else "validation")
        assert row["label"] == CLASSES.names[labels[number]] != row["suggested"] and 0 <= row["score"] < 0.5
    order = list(zip(table["score"].to_pylist(), table["path"].to_pylist(), strict=True))
    assert order == sorted(order)


def test_what_a_reviewer_has_decided_is_left_out(model: Normalized) -> None:
    train, validation = (flipped(packed, 20) for packed in digits())
    paths = suspects_of(model, train, validation)["path"].to_pylist()
    left = suspects_of(model, train, validation, (paths[0], paths[3]))["path"].to_pylist()
    assert left == [paths[1], paths[2], *paths[4:]]


def test_rows_can_be_signed_and_copied_to_the_fixes(model: Normalized, tmp_path: Path) -> None:
    train, validation = (flipped(packed, 20) for packed in digits())
    table = suspects_of(model, train, validation)
    write_suspects(table, tmp_path / "suspects.csv")
    text = (tmp_path / "suspects.csv").read_text()
    (tmp_path / "fixes.csv").write_text(text.replace(",,", ",Ann,"))
    fixes = read_label_fixes(tmp_path / "fixes.csv", list(PATHS.values()), CLASSES.names)
    assert [fix.image for fix in fixes] == table["path"].to_pylist()
    assert {(fix.action, fix.reviewer) for fix in fixes} == {("relabel", "Ann")}
    assert [fix.new_label for fix in fixes] == table["suggested"].to_pylist()


def test_classes_of_few_images_are_not_judged(model: Normalized) -> None:
    train, validation = digits()
    few = np.flatnonzero(train.labels == 3)[FOLDS - 1 :]
    rows = np.setdiff1d(np.arange(900), few)
    less = Packed(train.images[rows], train.labels[rows], train.ids[rows])
    only = np.flatnonzero(validation.labels > 1)
    other = Packed(validation.images[only], validation.labels[only], validation.ids[only])
    found = label_suspects(model, less, other, sure_of(other.labels), CLASSES, PATHS, ())
    assert "d" not in found["label"].to_pylist() and len(found) < 30
    alone = Packed(train.images[:3], train.labels[:3], train.ids[:3])
    assert len(label_suspects(model, alone, other, sure_of(other.labels), CLASSES, PATHS, ())) == 0


def test_no_image_is_judged_by_a_head_that_was_shown_it() -> None:
    draw = np.random.default_rng(0)
    # As many features as images: a head that was shown an image knows its label by heart.
    rows, labels = draw.normal(size=(300, 300)).astype(np.float32), draw.integers(0, 10, 300)
    answers = cross_validated_head(rows, labels, EVERY)
    assert np.allclose(answers.sum(1), 1, atol=1e-5)
    assert np.mean(answers.argmax(1) == labels) < 0.2


def test_maps_are_averaged_over_their_places() -> None:
    train, _ = digits()
    maps = train.images[:300].astype(np.float32).reshape(300, 8, 8, 1)
    assert np.array_equal(
        cross_validated_head(maps, train.labels[:300], EVERY),
        cross_validated_head(maps.mean((2, 3)), train.labels[:300], EVERY),
    )
