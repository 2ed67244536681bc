"""Fit the last layer of a frozen network by cross-validated logistic regression, in place of epochs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

from darkroom.images.pack import Packed
from darkroom.inference.features import features
from darkroom.model.fold_heads import ANSWERS, FOLD_HEADS
from darkroom.network.layer_groups import head
from darkroom.network.load import Normalized
from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import read_input_table
from darkroom.settings.networks import LBFGS
from darkroom.settings.train import Train
from darkroom.statistics.temperature import softmax
from darkroom.training.augmentation import Augmentation
from darkroom.training.curves import Epoch
from darkroom.training.heads import CrossValidated, accuracy_and_loss, cross_validated, fold_numbers
from darkroom.training.loop import FitConfig
from darkroom.training.losses import class_weights
from darkroom.training.recipe import FineTuned


@dataclass(frozen=True)
class FittedHead:
    """A head fitted by cross-validation.

    Attributes:
        history: one for each strength tried, as an epoch; in place of the learning rate the strength.
        found: the heads.
        folds: int64 [N], the fold of each training image, -1 for none.
        validation: probabilities of the validation images, float32 [M, K].
        tuned: what a fine-tuning came to; None where none was tried.
        frozen_answers: where the network below was fine-tuned, the answers out of fold of heads on the frozen one, float32
            [N, K]: those of `found` are no longer of a network that did not learn from the image.
    """

    history: list[Epoch]
    found: CrossValidated
    folds: Int64s
    validation: Float32s
    tuned: FineTuned | None = None
    frozen_answers: Float32s | None = None

    def best(self) -> Epoch:
        """That of the strength that is used: the least loss out of fold."""
        return self.history[self.found.best]

    def text(self) -> str:
        """The strength and what it reached."""
        best = self.found.tried[self.found.best]
        # Out of fold a fine-tuned network is no longer judged on images that it did not learn.
        out_of_fold = f"{best.accuracy:.2%} out of fold, " if self.frozen_answers is None else ""
        return (
            f"strength {best.strength:g} of {', '.join(f'{each.strength:g}' for each in self.found.tried)}: accuracy "
            f"{out_of_fold}{self.best().validation_accuracy:.2%} on validation"
        )

    def strengths(self) -> list[dict[str, float]]:
        """What was tried, one row for each strength."""
        return self.found.table()

    def save(self, folder: Path) -> None:
        """Write the answers out of fold and the heads of the folds beside the weights.

        A fine-tuned network has no such heads: the answers alone are written, which are of the frozen one.
        """
        if self.frozen_answers is not None:
            np.save(folder / ANSWERS, self.frozen_answers)
            return
        np.save(folder / ANSWERS, self.found.out_of_fold)
        heads = {"weight": self.found.fold_weights, "bias": self.found.fold_biases, "fold": self.folds}
        save_file({name: np.ascontiguousarray(values) for name, values in heads.items()}, folder / FOLD_HEADS)


def fits_head(settings: Train, model: Normalized, labels: Int64s) -> bool:
    """Whether the last layer is fitted by logistic regression: it alone is trained, on images as they are.

    Raises:
        DarkroomError: where that is asked for and can't be.
    """
    if settings.optimizer not in ("auto", LBFGS):
        return False
    values = settings.model_dump()
    unchanged = Augmentation(**{name: values[name] for name in Augmentation.__dataclass_fields__}).nothing
    obstacles = {
        "train.freeze must be backbone, and train.unfreeze empty": settings.freeze != "backbone" or settings.unfreeze,
        "augmentation must be off (train.flip=false, train.shift=0, train.cutout=0, …)": not unchanged,
        "train.loss must be auto or cross_entropy": settings.loss not in ("auto", "cross_entropy"),
        "train.balance must be none or weights": settings.balance == "sampler",
        "some class must have 5 training images or more": not (fold_numbers(labels) >= 0).any(),
    }
    found = [text for text, holds in obstacles.items() if holds]
    if not found and _linear(model) is None:
        found = [f"the last layer of {type(model.network).__name__} must be linear, with a bias"]
    if found and settings.optimizer == LBFGS:
        raise DarkroomError(f"train.optimizer=lbfgs fits the last layer alone: {'; '.join(found)}")
    return not found


def fit_head(
    model: Normalized,
    train: Packed,
    validation: Packed,
    config: FitConfig,
    *,
    precision: torch.dtype,
    splits: Path,
    after_epoch: Callable[[Epoch], None] | None = None,
) -> FittedHead:
    """Fit the last layer, in place.

    Args:
        model: with the weights that stay.
        train, validation: images and labels; the second choose nothing.
        config: its classes and balance are read.
        precision: of the features.
        splits: the split table, whose groups are held out together.
        after_epoch: called with each strength tried.
    """
    rows = [features(model, each.images, precision).numpy() for each in (train, validation)]
    group_of = dict(zip(*read_input_table(splits, ["id", "group"]).to_pydict().values(), strict=True))
    ids = [image_id.decode() for image_id in train.ids.tolist()]
    folds = fold_numbers(
        train.labels, [image_id if (group := group_of[image_id]) is None else group for image_id in ids]
    )
    weights = class_weights(train.labels, config.classes).numpy() if config.balance == "weights" else None
    found = cross_validated(rows[0], train.labels, config.classes, folds, class_weights=weights)
    history = [
        Epoch(
            number,
            each.train_loss,
            each.train_accuracy,
            *_loss_and_accuracy(rows[1], validation.labels, each.weight, each.bias),
            each.strength,
        )
        for number, each in enumerate(found.tried, start=1)
    ]
    last = _linear(model)
    assert last is not None
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(found.weight))
        last.bias.copy_(torch.from_numpy(found.bias))
    for epoch in history if after_epoch is not None else []:
        assert after_epoch is not None
        after_epoch(epoch)
    return FittedHead(history, found, folds, softmax(rows[1] @ found.weight.T + found.bias))


def _linear(model: Normalized) -> nn.Linear | None:
    """The last layer, which gives the network's logits; None where it is another, or the network changes what it gives."""
    found = [
        module for module in head(model.network).modules() if next(module.parameters(recurse=False), None) is not None
    ]
    only = found[0] if len(found) == 1 else None
    return only if isinstance(only, nn.Linear) and only.bias is not None else None


def _loss_and_accuracy(rows: Float32s, labels: Int64s, weight: Float32s, bias: Float32s) -> tuple[float, float]:
    accuracy, loss = accuracy_and_loss(softmax(rows @ weight.T + bias), labels)
    return loss, accuracy
