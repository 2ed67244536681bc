"""Last layers on the features of a frozen network: multinomial logistic regression, its strength chosen by cross-validation.

The folds and the fit to all images are solved together, since each pass over the features then serves all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize  # Here: SciPy's own BLAS gets the limit below only where it is loaded.
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from darkroom.runtime.arrays import Float32s, Float64s, Int64s
from darkroom.statistics.temperature import softmax

FOLDS = 5
# Of the fit against the L2 penalty, as scikit-learn's C, for features whose rows have a mean square length of 1, the most
# penalised first (docs/decisions/2026-11-28-heads.md).
STRENGTHS = (100.0, 1_000.0, 10_000.0)
# Of L-BFGS, which begins where the strength before ended.
MOST_STEPS = 60
# More images than this choose the strength by an even part of them; up to so many the features are rotated into their span.
MOST_SEARCHED = 3_000


@dataclass(frozen=True)
class Strength:
    """How the heads of one strength did.

    Attributes:
        strength: of the fit against the penalty, as in `STRENGTHS`.
        accuracy, loss: out of fold; the loss is the mean cross-entropy, in nats.
        train_accuracy, train_loss: of the head that was fitted to all of these images, on them.
        weight, bias: of that head, float32 [K, F] and [K].
    """

    strength: float
    accuracy: float
    loss: float
    train_accuracy: float
    train_loss: float
    weight: Float32s
    bias: Float32s


@dataclass(frozen=True)
class CrossValidated:
    """A head, and what is known of it from those that were fitted to parts of the images.

    Attributes:
        tried: one for each strength, in the order of `STRENGTHS`; fewer where the loss rose.
        best: position of the one that is used: the least loss out of fold.
        out_of_fold: probabilities for each image by a head that was not fitted to it, float32 [N, K]; zeros for images whose
            class has too few to be left out.
        weight, bias: of the head fitted to all images, float32 [K, F] and [K].
        fold_weights, fold_biases: of the heads of the folds, float32 [5, K, F] and [5, K].
    """

    tried: list[Strength]
    best: int
    out_of_fold: Float32s
    weight: Float32s
    bias: Float32s
    fold_weights: Float32s
    fold_biases: Float32s

    def table(self) -> list[dict[str, float]]:
        """Strength, accuracy and loss out of fold of each that was tried."""
        return [{name: getattr(each, name) for name in ("strength", "accuracy", "loss")} for each in self.tried]

    @property
    def accuracy(self) -> float:
        """Out of fold, at the strength that is used."""
        return self.tried[self.best].accuracy


def fold_numbers(labels: Int64s, groups: Sequence[object] | None = None) -> Int64s:
    """The fold in which each image is held out.

    The folds are runs of images in the order given, each with its share of every class: pictures of one scene, which lie side
    by side, are held out together. A group is held out with its first image.

    Args:
        labels: int64 [N].
        groups: of each image; None where there are none.

    Returns:
        int64 [N], 0 to 4; -1 for images of classes of fewer than five, which every head is fitted to.
    """
    folds = np.full(len(labels), -1, np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if len(rows) >= FOLDS:
            folds[rows] = np.arange(len(rows)) * FOLDS // len(rows)
    if groups is not None:
        first: dict[object, int] = {}
        for row, group in enumerate(groups):
            folds[row] = first.setdefault(group, int(folds[row]))
    return folds


# BLAS's threads wait by spinning (513 images beside other work: 0.5 s of CPU in one thread, 9.8 in two).
@threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]
def cross_validated(
    features: Float32s,
    labels: Int64s,
    classes: int,
    folds: Int64s,
    *,
    strengths: Sequence[float] = STRENGTHS,
    class_weights: Float32s | None = None,
) -> CrossValidated:
    """Fit a head to all images and one for each fold, at the strength with the least loss out of fold.

    Args:
        features: float32 [N, F].
        labels: int64 [N].
        classes: K, how many there are.
        folds: int64 [N], as `fold_numbers` gives them; some image must be in one.
        strengths: to try, the most penalised first, until the loss rises.
        class_weights: how much an image of each class counts, float32 [K].
    """
    weights = np.ones(len(labels), np.float32) if class_weights is None else class_weights[labels].astype(np.float32)
    chosen = strengths
    if len(labels) > MOST_SEARCHED and len(strengths) > 1:
        part = np.linspace(0, len(labels) - 1, MOST_SEARCHED).astype(np.int64)
        tried, best, _ = _search(_Rows(features[part], labels[part], weights[part], folds[part], classes), strengths)
        chosen = [strengths[best]]
    problem = _Rows(features, labels, weights, folds, classes)
    final, position, solution = _search(problem, chosen)
    whole = chosen is strengths
    tried, best = (final, position) if whole else ([*tried[:best], final[0], *tried[best + 1 :]], best)
    weight, bias = problem.heads(solution)
    return CrossValidated(tried, best, problem.out_of_fold(solution), weight[-1], bias[-1], weight[:-1], bias[:-1])


def _search(problem: "_Rows", strengths: Sequence[float]) -> tuple[list[Strength], int, Float64s]:
    """The strengths up to the first with a higher loss, the position of the best, and its solution."""
    tried: list[Strength] = []
    best, solution, found = 0, problem.start(), problem.start()
    for strength in strengths:
        found = problem.solve(strength, found)
        tried.append(problem.score(strength, found))
        if tried[-1].loss > tried[best].loss:
            break
        best, solution = len(tried) - 1, found
    return tried, best, solution


class _Rows:
    """Features in the form in which the heads are fitted: centred, of mean square length 1, and in the span of the images.

    Where there are more features than images, these span fewer dimensions, and the penalised solution lies in their span: with
    the right singular vectors as axes the problem is smaller and exactly the same. They are scaled by a share of the
    curvature's bound (Böhning 1992). The last head is that of all images.
    """

    def __init__(self, features: Float32s, labels: Int64s, weights: Float32s, folds: Int64s, classes: int) -> None:
        self.labels, self.folds, self.classes, self.heads_count = labels, folds, classes, FOLDS + 1
        self.mean = features.mean(0, dtype=np.float64).astype(np.float32)
        centred = features - self.mean
        length = float(np.sqrt(np.square(centred).sum(dtype=np.float64) / len(centred))) or 1.0
        centred /= np.float32(length)
        self.scale, self.axes, self.rows = np.float32(1 / length), None, centred
        self.shrink = np.ones(centred.shape[1], np.float32)
        if centred.shape[1] > len(centred) and len(centred) <= MOST_SEARCHED:
            values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
            spanned = values > values[-1] * 1e-7
            roots = np.sqrt(values[spanned])
            self.rows = (vectors[:, spanned] * roots).astype(np.float32)
            self.axes = centred.T @ (vectors[:, spanned] / roots).astype(np.float32)
            # 0.3 and one scale for all strengths: docs/decisions/2026-11-28-heads.md.
            self.shrink = (1 / np.sqrt(1 + 0.3 * values[spanned] / values.sum() * len(spanned))).astype(np.float32)
        self.rows = self.rows * self.shrink
        self.fitted = np.repeat(weights[:, None], self.heads_count, 1)
        for fold in range(FOLDS):
            self.fitted[folds == fold, fold] = 0
        self.wanted = np.eye(classes, dtype=np.float32)[labels]

    def start(self) -> Float64s:
        """All weights and biases zero, flat."""
        return np.zeros(self.heads_count * self.classes * (self.rows.shape[1] + 1))

    def solve(self, strength: float, start: Float64s) -> Float64s:
        """Weights and biases of all heads, flat, by L-BFGS from a starting point on."""
        options = {"maxiter": MOST_STEPS, "ftol": 1e-7, "gtol": 1e-4 * len(self.labels) / 100}
        found = minimize(self._loss, start, (strength,), jac=True, method="L-BFGS-B", options=options)
        solution: Float64s = found.x
        return solution

    def _loss(self, flat: Float64s, strength: float) -> tuple[float, Float64s]:
        """The penalised loss of all heads together, and its gradient."""
        parts = flat.reshape(self.heads_count, self.classes, -1)
        weights = parts[:, :, :-1].astype(np.float32)
        logits = self._logits(parts)
        powers = np.exp(logits - logits.max(2, keepdims=True))
        sums = powers.sum(2, keepdims=True)
        own = np.take_along_axis(powers / sums, self.labels[:, None, None], 2)[:, :, 0]
        losses = -np.log(np.maximum(own, 1e-30)) * self.fitted
        slopes = (powers / sums - self.wanted[:, None]) * self.fitted[:, :, None]
        penalised = weights * self.shrink**2
        gradient = np.empty_like(parts)
        gradient[:, :, :-1] = (slopes.reshape(len(slopes), -1).T @ self.rows).reshape(weights.shape)
        gradient[:, :, :-1] += penalised / strength
        gradient[:, :, -1] = slopes.sum(0)
        penalty = (weights * penalised).sum(dtype=np.float64) / (2 * strength)
        return float(losses.sum(dtype=np.float64) + penalty), gradient.ravel()

    def _logits(self, parts: Float64s) -> Float32s:
        """float32 [N, heads, K]."""
        weights = parts[:, :, :-1].astype(np.float32).reshape(self.heads_count * self.classes, -1)
        logits: Float32s = (self.rows @ weights.T).reshape(len(self.rows), self.heads_count, self.classes)
        return logits + parts[:, :, -1].astype(np.float32)

    def out_of_fold(self, solution: Float64s) -> Float32s:
        """Probabilities float32 [N, K] by the head of each image's fold; zeros without one."""
        logits = self._logits(solution.reshape(self.heads_count, self.classes, -1))
        return np.where((self.folds >= 0)[:, None], softmax(logits[np.arange(len(logits)), self.folds]), 0)

    def score(self, strength: float, solution: Float64s) -> Strength:
        """Of one solution."""
        judged = self.folds >= 0
        probabilities, labels = self.out_of_fold(solution)[judged], self.labels[judged]
        whole = softmax(self._logits(solution.reshape(self.heads_count, self.classes, -1))[:, -1])
        weight, bias = self.heads(solution, slice(-1, None))
        return Strength(
            strength,
            *accuracy_and_loss(probabilities, labels),
            *accuracy_and_loss(whole, self.labels),
            weight[0],
            bias[0],
        )

    def heads(self, solution: Float64s, which: slice = slice(None)) -> tuple[Float32s, Float32s]:
        """Weights float32 [heads, K, F] and biases float32 [heads, K] for the features as they were given."""
        parts = solution.reshape(self.heads_count, self.classes, -1)[which]
        weights = parts[:, :, :-1].astype(np.float32) * self.shrink
        if self.axes is not None:
            weights = weights @ self.axes.T
        weights = weights * self.scale
        biases = parts[:, :, -1] - weights.astype(np.float64) @ self.mean
        return weights, biases.astype(np.float32)


def accuracy_and_loss(probabilities: Float32s, labels: Int64s) -> tuple[float, float]:
    """Of probabilities float32 [N, K]; the loss is the mean cross-entropy, in nats."""
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float((probabilities.argmax(1) == labels).mean()), float(-np.log(np.maximum(own, 1e-30)).mean())
