"""The validation scores of the candidates: as numbers for files, and as a table for the console."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darkroom.compression.benchmark import LARGE_BATCH, Speed
from darkroom.compression.candidates import Candidate
from darkroom.compression.decision import MeasuredCandidate, SelectionLimits
from darkroom.compression.parity import Parity, compare, loss_interval
from darkroom.images.pack import Packed
from darkroom.inference.session import open_session, probabilities
from darkroom.statistics.intervals import wilson

CONFIDENCE = 0.95
DIGITS = 6


def accuracy_numbers(correct: int, images: int) -> dict[str, float]:
    """Validation accuracy with its 95% interval, under the names of metrics."""
    low, high = wilson(correct, images, CONFIDENCE)
    numbers = {"accuracy": correct / images, "accuracy_low": float(low), "accuracy_high": float(high)}
    return {name: round(value, DIGITS) for name, value in numbers.items()}


def loss_numbers(parity: Parity) -> dict[str, float]:
    """The accuracy that a candidate loses beside float, with its 95% interval, under the names of metrics."""
    low, high = loss_interval(parity, CONFIDENCE)
    numbers = {
        "accuracy_loss": parity.accuracy_loss,
        "accuracy_loss_low": low,
        "accuracy_loss_high": high,
        "label_disagreement": parity.label_disagreement,
    }
    return {name: round(value, DIGITS) for name, value in numbers.items()}


def least_loss_high(images: int) -> float:
    """The upper end of the loss's interval for a candidate that changes no prediction on so many images."""
    same = Parity(images, 0.0, 0, 0.0, 0.0, images, images, 0, 0)
    return loss_interval(same, CONFIDENCE)[1]


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
    """The scores of the candidates on the validation images, float first.

    Attributes:
        candidates: in the order in which they came.
        numbers: by name; float has no loss.
        sizes: bytes of the files, by name.
    """

    def __init__(self, first: Candidate, folder: Path, validation: Packed) -> None:
        """Start with float.

        Args:
            first: the candidate that all others are compared with.
            folder: with the graphs.
            validation: its images.
        """
        self._folder, self._validation = folder, validation
        self._reference = probabilities(open_session(folder / first.file), validation.images, "validate float")
        correct = int((self._reference.argmax(axis=1) == validation.labels).sum())
        self.candidates = [first]
        self.numbers = {first.name: accuracy_numbers(correct, len(validation.labels))}
        self.sizes = {first.name: (folder / first.file).stat().st_size}

    def add(self, candidate: Candidate | None) -> None:
        """Score a candidate; None is one that could not be made."""
        if candidate is None:
            return
        path = self._folder / candidate.file
        predictions = probabilities(open_session(path), self._validation.images, f"validate {candidate.name}")
        parity = compare(self._reference, predictions, self._validation.labels)
        self.candidates.append(candidate)
        self.numbers[candidate.name] = accuracy_numbers(parity.correct_after, parity.images) | loss_numbers(parity)
        self.sizes[candidate.name] = path.stat().st_size

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
            }
            | self.numbers[each.name]
            | {"refused": refused.get(each.name)}
            for each in self.candidates
        }

    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`: numbers alone, as `dvc metrics` shows them."""
        return {"validation": self.numbers, "bytes": self.sizes, "images": len(self._validation.labels)}
