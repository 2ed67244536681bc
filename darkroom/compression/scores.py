"""The validation scores of the candidates: as numbers for files, and as a table for the console."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from darkroom.compression.benchmark import LARGE_BATCH, Speed, peak_memory
from darkroom.compression.candidates import Candidate, Candidates
from darkroom.compression.decision import MeasuredCandidate, SelectionLimits
from darkroom.compression.out_of_fold import OutOfFold
from darkroom.compression.parity import Paired, compare
from darkroom.images.pack import Packed
from darkroom.inference.session import probabilities_of
from darkroom.runtime.arrays import Float32s
from darkroom.statistics.intervals import wilson
from darkroom.statistics.paired_score import paired_interval

CONFIDENCE = 0.95
DIGITS = 6


def accuracy_numbers(correct: int, images: int) -> dict[str, float]:
    """Validation accuracy with its 95% interval, under the names of metrics."""
    low, high = wilson(correct, images, CONFIDENCE)
    numbers = {"accuracy": correct / images, "accuracy_low": float(low), "accuracy_high": float(high)}
    return {name: round(value, DIGITS) for name, value in numbers.items()}


def loss_numbers(paired: Paired) -> dict[str, float]:
    """The accuracy that a candidate loses beside float, with its 95% interval, under the names of metrics."""
    low, high = paired.loss_interval(CONFIDENCE)
    numbers = {
        "accuracy_loss": (paired.lost - paired.won) / paired.images,
        "accuracy_loss_low": low,
        "accuracy_loss_high": high,
        "label_disagreement": paired.differ / paired.images,
    }
    return {name: round(value, DIGITS) for name, value in numbers.items()}


def least_loss_high(images: int) -> float:
    """The upper end of the loss's interval for a candidate that changes no prediction on so many images."""
    return paired_interval(0, 0, images, CONFIDENCE)[1]


def scores_table(
    candidates: list[Candidate],
    numbers: Mapping[str, Mapping[str, float]],
    sizes: Mapping[str, int],
    speeds: Mapping[str, Speed],
) -> str:
    """A table of all candidates, for the console; float first."""
    width = max(len(each.name) for each in candidates)
    lines = [
        f"  {'':{width}}  {'accuracy (95%)':>22}  {'loses (95%)':>21}  {'size':>10}  {'p50':>9}  {'p95':>9}"
        f"  {f'batches of {LARGE_BATCH}':>14}  {'times as fast':>20}"
    ]
    for each in candidates:
        found, speed = numbers[each.name], speeds[each.name]
        accuracy = f"{found['accuracy']:.2%} ({100 * found['accuracy_low']:.2f}-{100 * found['accuracy_high']:.2f})"
        lost = ratio = ""
        if each.name != "float":
            loss, low, high = (100 * found[f"accuracy_loss{end}"] for end in ("", "_low", "_high"))
            lost = f"{loss:.2f} ({low:.2f} to {high:.2f})"
            ratio = f"{speed.ratio:.2f} ({speed.low:.2f} to {speed.high:.2f})"
        lines.append(
            f"  {each.name:{width}}  {accuracy:>22}  {lost:>21}  {sizes[each.name] / 1e6:7.2f} MB  {speed.p50_ms:6.2f} ms"
            f"  {speed.p95_ms:6.2f} ms  {speed.images_per_second:8,.0f} img/s  {ratio:>20}".rstrip()
        )
    return "\n".join(lines)


class CandidateScores:
    """The scores of the candidates, float first: accuracy on the validation images, and what is lost against float.

    Attributes:
        candidates: in the order in which they came.
        numbers: by name; float has no loss.
        sizes: bytes of the files, by name.
        out_of_fold: by name, how many training images the loss rests on beside the validation images.
    """

    def __init__(
        self, first: Candidate, reference: Float32s, folder: Path, validation: Packed, out_of_fold: OutOfFold | None
    ) -> None:
        """Start with float.

        Args:
            first: the candidate that all others are compared with.
            reference: the probabilities that it gives for the validation images, float32 [N, K].
            folder: with the graphs.
            validation: its images.
            out_of_fold: training images on which candidates are compared, too; None for none.
        """
        self._folder, self._validation, self._training = folder, validation, out_of_fold
        self._reference = reference
        correct = int((reference.argmax(axis=1) == validation.labels).sum())
        # One process at a time, beside what one thread does here.
        self._beside, self._memory = ThreadPoolExecutor(1), dict[str, Future[int]]()
        self._measure_memory(first)
        self.candidates = [first]
        self.numbers = {first.name: accuracy_numbers(correct, len(validation.labels))}
        self.sizes = {first.name: (folder / first.file).stat().st_size}
        self.out_of_fold = {first.name: 0}

    def add(self, candidate: Candidate | None) -> None:
        """Score a candidate; None is one that could not be made."""
        if candidate is None:
            return
        path = self._folder / candidate.file
        self._measure_memory(candidate)
        predictions = probabilities_of(path, self._validation.images, f"validate {candidate.name}")
        parity = compare(self._reference, predictions, self._validation.labels)
        paired, training = parity.paired, self._training if candidate.same_weights else None
        if training:
            paired += training.compare(path)
        self.candidates.append(candidate)
        self.numbers[candidate.name] = accuracy_numbers(parity.correct_after, parity.images) | loss_numbers(paired)
        self.sizes[candidate.name] = path.stat().st_size
        self.out_of_fold[candidate.name] = training.images if training else 0

    def _measure_memory(self, candidate: Candidate) -> None:
        path = self._folder / candidate.file
        self._memory[candidate.name] = self._beside.submit(peak_memory, path, LARGE_BATCH)

    def peak_memories(self) -> dict[str, int]:
        """By name, what `peak_memory` found, once it has.

        Raises:
            DarkroomError: as it does.
        """
        return {name: found.result() for name, found in self._memory.items()}

    def any_within(self, limits: SelectionLimits) -> bool:
        """Whether a candidate other than float loses no more than is allowed."""
        found = (self.numbers[each.name]["accuracy_loss_high"] for each in self.candidates[1:])
        return any(high <= limits.max_accuracy_loss for high in found)

    def measured(self, speeds: Mapping[str, Speed]) -> dict[str, MeasuredCandidate]:
        """All but float, with their measured speeds, for the decision."""
        return {
            each.name: MeasuredCandidate(
                each.title,
                self.numbers[each.name]["accuracy_loss"],
                self.numbers[each.name]["accuracy_loss_high"],
                speeds[each.name].low,
                speeds[each.name].high,
                self.out_of_fold[each.name],
            )
            for each in self.candidates[1:]
        }

    def facts(self, refused: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        """The entry of each candidate in `verdict.json`."""
        return {
            each.name: {
                "title": each.title,
                "file": each.file,
                "made": each.made,
                "bytes": self.sizes[each.name],
                "images": len(self._validation.labels),
                "out_of_fold_images": self.out_of_fold[each.name],
            }
            | self.numbers[each.name]
            | {"refused": refused.get(each.name)}
            for each in self.candidates
        }

    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`: numbers alone, as `dvc metrics` shows them."""
        return {"validation": self.numbers, "bytes": self.sizes, "images": len(self._validation.labels)}


def score_candidates(
    makes: Candidates, scores: CandidateScores, limits: SelectionLimits, pruning: float, epochs: int
) -> None:
    """Make the candidates and score them. What takes long is made only where another verdict could come of it.

    Args:
        makes: makes them.
        scores: gets them, in order; it has float.
        limits: of the decision.
        pruning: the fraction of the channels that a pruned candidate lacks; 0 makes none.
        epochs: of fine-tuning.

    Raises:
        DarkroomError: when the network can't be pruned.
    """
    enough = limits.max_accuracy_loss if limits.can_be_met else 1.0
    scores.add(makes.int8(enough))
    if limits.can_be_met:
        scores.add(makes.int8_dynamic())
    if pruning:
        for candidate in makes.pruned(pruning, epochs, enough):
            scores.add(candidate)
    if limits.can_be_met and not scores.any_within(limits):
        scores.add(makes.int8_mixed())
        # Fine-tuned to the training images, it is shown to lose little by the validation images alone.
        if not scores.any_within(limits) and least_loss_high(limits.images) <= limits.max_accuracy_loss:
            scores.add(makes.int8_trained(epochs))
