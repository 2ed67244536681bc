"""How the upper blocks of a pretrained network are fine-tuned, and what came of it; needs no torch."""

from dataclasses import dataclass

import numpy as np

from darkroom.runtime.arrays import Float32s, Int64s


@dataclass(frozen=True)
class Recipe:
    """What a fine-tuning takes.

    Attributes:
        epochs: over the training images.
        forms: of each training image that are learnt from: the image as it is, and changed copies of it.
    """

    epochs: int
    forms: int

    @property
    def passes(self) -> float:
        """What it costs for an image, in passes of the whole network: a step on stored maps takes 1.6, the last fit one."""
        return self.forms + 1.6 * self.epochs + 1


# From sign-digits: docs/decisions/2026-11-28-fine-tuning.md.
RECIPE = Recipe(epochs=8, forms=7)


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuning beside the head on the frozen network, on the same validation images.

    Attributes:
        epochs, forms: as in the recipe.
        losses: mean training loss of each epoch, in nats.
        images: of validation.
        errors_before, errors_after: validation images that the head on the frozen network, and the fine-tuned network, predict
            wrongly.
        only_before, only_after: those that only the one, or only the other, predicts correctly.
        loss_before, loss_after: mean cross-entropy on validation, in nats.
        deviation: the standard error of their difference.
        taken: whether the fine-tuned network is the model.
    """

    epochs: int
    forms: int
    losses: list[float]
    images: int
    errors_before: int
    errors_after: int
    only_before: int
    only_after: int
    loss_before: float
    loss_after: float
    deviation: float
    taken: bool

    def text(self) -> str:
        """For the console: what was measured, and what follows."""
        return (
            f"{self.errors_after:,} of {self.images:,} validation images wrong in place of {self.errors_before:,} "
            f"({self.only_after:,} right only with it, {self.only_before:,} only without it), log loss {self.loss_after:.4f} "
            f"in place of {self.loss_before:.4f}: {'taken' if self.taken else 'not taken'}"
        )


def judged(recipe: Recipe, losses: list[float], before: Float32s, after: Float32s, labels: Int64s) -> FineTuned:
    """Compare the head on the frozen network with the fine-tuned network, image by image.

    Fine-tuning is taken where it makes no more errors and the mean log loss is lower. On a few hundred validation images some
    images more or less are chance; the loss, which every image counts in, can tell more.

    Args:
        recipe, losses: of the fine-tuning.
        before, after: probabilities of the validation images, float32 [N, K].
        labels: int64 [N].
    """
    rows = np.arange(len(labels))
    right_before, right_after = before.argmax(1) == labels, after.argmax(1) == labels
    one, other = (-np.log(np.maximum(each[rows, labels].astype(np.float64), 1e-30)) for each in (before, after))
    errors = int((~right_before).sum()), int((~right_after).sum())
    return FineTuned(
        epochs=recipe.epochs,
        forms=recipe.forms,
        losses=losses,
        images=len(labels),
        errors_before=errors[0],
        errors_after=errors[1],
        only_before=int((right_before & ~right_after).sum()),
        only_after=int((right_after & ~right_before).sum()),
        loss_before=float(one.mean()),
        loss_after=float(other.mean()),
        deviation=float((other - one).std() / np.sqrt(len(labels))),
        taken=bool(errors[1] <= errors[0] and other.mean() < one.mean()),
    )
