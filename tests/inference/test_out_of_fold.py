"""No training image is judged by a model that learnt its label."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from darkroom.inference.out_of_fold import FOLDS, cross_validated_head, out_of_fold, training_answers
from darkroom.model.fold_heads import ANSWERS, FOLD_HEADS
from darkroom.network.cnn import SmallImageNet
from darkroom.network.load import Normalized
from darkroom.runtime.errors import DarkroomError

EVERY = np.ones(10, dtype=bool)
CPU = torch.device("cpu")


def test_no_image_is_judged_by_a_head_that_was_shown_it() -> None:
    rng = np.random.default_rng(0)
    # As many features as images: a head that was shown an image knows its label by heart.
    rows, labels = rng.normal(size=(300, 300)).astype(np.float32), rng.integers(0, 10, 300)
    answers = cross_validated_head(rows, labels, EVERY)
    assert np.allclose(answers.sum(1), 1, atol=1e-5)
    assert np.mean(answers.argmax(1) == labels) < 0.2


def test_maps_are_averaged_over_their_places() -> None:
    digits = load_digits()
    maps = digits.images[:300].astype(np.float32).reshape(300, 8, 8, 1)
    labels = digits.target[:300].astype(np.int64)
    assert np.array_equal(
        cross_validated_head(maps, labels, EVERY), cross_validated_head(maps.mean((2, 3)), labels, EVERY)
    )


def test_features_of_the_network_predict_and_small_classes_are_not_judged() -> None:
    torch.manual_seed(0)
    model = Normalized(SmallImageNet(10, 1, 32, 0.0), [0.3], [0.35]).eval()
    before = [tensor.clone() for tensor in model.state_dict().values()]
    digits = load_digits()
    few = np.flatnonzero(digits.target[:400] == 3)[FOLDS - 1 :]
    rows = np.setdiff1d(np.arange(400), few)
    images = np.round(digits.images[rows] * (255 / 16)).astype(np.uint8)[..., None]
    labels = digits.target[rows].astype(np.int64)
    answers = out_of_fold(model, images, labels, 10, CPU)
    judged = labels != 3
    assert answers.shape == (len(rows), 10) and not answers[~judged].any() and not answers[:, 3].any()
    # Features of random weights tell digits apart well enough.
    assert np.mean(answers[judged].argmax(axis=1) == labels[judged]) > 0.8
    assert all(torch.equal(one, other) for one, other in zip(before, model.state_dict().values(), strict=True))
    assert all(tensor.is_contiguous() for tensor in model.state_dict().values()) and not model.training


def test_answers_that_train_wrote_are_taken_and_must_fit(tmp_path: Path) -> None:
    network, images, labels = torch.nn.Identity(), np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 0])
    answers = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)
    np.save(tmp_path / ANSWERS, answers)
    given = cast(Normalized, network), images, labels
    # Alone they are of the network before it was fine-tuned, and tell nothing of how sure it is now.
    of_network, found = training_answers(tmp_path, *given, 2, torch.device("cpu"))
    assert not of_network and (found == answers).all()
    (tmp_path / FOLD_HEADS).touch()
    of_network, found = training_answers(tmp_path, *given, 2, torch.device("cpu"))
    assert of_network and (found == answers).all()
    with pytest.raises(DarkroomError, match=r"shape \(3, 2\) for 3 training images of 4 classes"):
        training_answers(tmp_path, *given, 4, torch.device("cpu"))
