"""Training images as evidence: each is answered by the head that was not fitted to it, on the features of both graphs."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from safetensors.numpy import save_file

from darkroom.compression.out_of_fold import ENOUGH_VALIDATION, OutOfFold, features_of, open_out_of_fold
from darkroom.images.pack import Packed
from darkroom.runtime.errors import DarkroomError
from tests.support.matrix_graph import CLASSES, WIDTH, some_images, write_products

IMAGES, FOLDS = 60, 2
NONE = np.zeros(0, dtype=np.int64)


@pytest.fixture
def train(tmp_path: Path) -> Packed:
    """Sixty images; their graph with two products, and heads of two folds; the last image was in no fold."""
    write_products(tmp_path / "model.onnx", 1)
    generator = np.random.default_rng(3)
    images = some_images(IMAGES)
    fold = np.arange(IMAGES) % FOLDS
    fold[-1] = -1
    weight = generator.normal(size=(FOLDS, CLASSES, WIDTH)).astype(np.float32)
    bias = generator.normal(size=(FOLDS, CLASSES)).astype(np.float32)
    save_file({"weight": weight, "bias": bias, "fold": fold}, tmp_path / "fold_heads.safetensors")
    features = features_of(tmp_path / "model.onnx", images, None)
    logits = np.einsum("nkf,nf->nk", weight[fold], features) + bias[fold]
    answers = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.save(tmp_path / "out_of_fold.npy", (answers / answers.sum(axis=1, keepdims=True)).astype(np.float32))
    ids = np.array([f"{number:016x}" for number in range(IMAGES)], dtype="S16")
    labels = logits.argmax(axis=1)
    labels[::10] = (labels[::10] + 1) % CLASSES
    return Packed(images, labels, ids)


def changed(path: Path, rows: slice) -> Path:
    """The graph with some features turned, which changes what heads predict with them."""
    model = onnx.load(path)
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == "weight0")
    values = numpy_helper.to_array(weight).copy()
    values[:, rows] *= -1
    weight.CopyFrom(numpy_helper.from_array(values, "weight0"))
    target = path.with_name("candidate.onnx")
    onnx.save(model, target)
    return target


def test_the_float_graph_differs_from_itself_nowhere(train: Packed, tmp_path: Path) -> None:
    evidence = OutOfFold(tmp_path, tmp_path / "model.onnx", train, np.array([3, 4, 3]))
    found = evidence.compare(tmp_path / "model.onnx")
    assert (found.images, found.lost, found.won, found.differ) == (IMAGES - 3, 0, 0, 0)


def test_each_image_is_answered_by_the_head_that_was_not_fitted_to_it(train: Packed, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    candidate = changed(tmp_path / "model.onnx", slice(0, 5))
    found = OutOfFold(tmp_path, tmp_path / "model.onnx", train, NONE).compare(candidate)
    heads = load_file(tmp_path / "fold_heads.safetensors")
    lost = won = differ = 0
    before, after = (features_of(path, np.asarray(train.images), None) for path in (tmp_path / "model.onnx", candidate))
    for row in range(IMAGES - 1):
        weight, bias = heads["weight"][row % FOLDS], heads["bias"][row % FOLDS]
        first, second = ((weight @ features[row] + bias).argmax() for features in (before, after))
        lost += bool(first == train.labels[row] != second)
        won += bool(second == train.labels[row] != first)
        differ += bool(first != second)
    assert (found.images, found.lost, found.won, found.differ) == (IMAGES - 1, lost, won, differ)
    assert lost > 0 and won > 0


def test_a_close_answer_in_low_precision_is_no_difference(train: Packed, tmp_path: Path) -> None:
    """Training answered in bfloat16: where its class is another than that in float32, float32 is what counts."""
    answers = np.load(tmp_path / "out_of_fold.npy")
    np.save(tmp_path / "out_of_fold.npy", np.roll(answers, 1, axis=1))
    found = OutOfFold(tmp_path, tmp_path / "model.onnx", train, NONE).compare(tmp_path / "model.onnx")
    assert (found.lost, found.won, found.differ) == (0, 0, 0)


def test_where_it_is_needed_is_decided_by_numbers_alone(train: Packed, tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    assert open_out_of_fold(tmp_path, graph, train, NONE, ENOUGH_VALIDATION) is None
    found = open_out_of_fold(tmp_path, graph, train, NONE, ENOUGH_VALIDATION - 1)
    assert found and found.images == IMAGES - 1
    (tmp_path / "fold_heads.safetensors").unlink()
    assert open_out_of_fold(tmp_path, graph, train, NONE, 1) is None


def test_heads_of_other_images_stop(train: Packed, tmp_path: Path) -> None:
    fewer = Packed(train.images[1:], train.labels[1:], train.ids[1:])
    with pytest.raises(DarkroomError, match=r"of 60 training images, and there are 59: run `dvc repro train`"):
        OutOfFold(tmp_path, tmp_path / "model.onnx", fewer, NONE)


def test_where_all_training_images_set_the_ranges_none_is_left(train: Packed, tmp_path: Path) -> None:
    assert open_out_of_fold(tmp_path, tmp_path / "model.onnx", train, np.arange(IMAGES), 1) is None
