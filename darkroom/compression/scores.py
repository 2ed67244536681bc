"""The candidates with what validation says of each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darkroom.compression.candidates import Candidate
from darkroom.compression.comparison import accuracy_numbers, loss_numbers
from darkroom.compression.decision import Contender, Limits
from darkroom.compression.latency import Speed
from darkroom.compression.parity import compare
from darkroom.images.pack import Packed
from darkroom.inference.session import open_session, probabilities


class Validated:
    """Runs the validation images through each candidate, float first, and keeps the numbers.

    Attributes:
        candidates: in the order in which they came.
        numbers: by name; float has no loss.
        sizes: bytes of the files, by name.
    """

    def __init__(self, first: Candidate, folder: Path, validation: Packed) -> None:
        """Start with float.

        Args:
            first: the candidate to hold all others against.
            folder: with the graphs.
            validation: its images.
        """
        self._folder, self._validation = folder, validation
        self._reference = probabilities(open_session(folder / first.file), validation.images, "validate float")
        right = int((self._reference.argmax(axis=1) == validation.labels).sum())
        self.candidates = [first]
        self.numbers = {first.name: accuracy_numbers(right, len(validation.labels))}
        self.sizes = {first.name: (folder / first.file).stat().st_size}

    def add(self, candidate: Candidate | None) -> None:
        """Validate a candidate; None stands for one that could not be made."""
        if candidate is None:
            return
        path = self._folder / candidate.file
        answers = probabilities(open_session(path), self._validation.images, f"validate {candidate.name}")
        parity = compare(self._reference, answers, self._validation.labels)
        self.candidates.append(candidate)
        self.numbers[candidate.name] = accuracy_numbers(parity.right_after, parity.images) | loss_numbers(parity)
        self.sizes[candidate.name] = path.stat().st_size

    def any_within(self, limits: Limits) -> bool:
        """Whether a candidate other than float loses no more than is allowed."""
        found = (self.numbers[each.name]["accuracy_loss_high"] for each in self.candidates[1:])
        return any(high <= limits.max_accuracy_loss for high in found)

    def contenders(self, speeds: Mapping[str, Speed]) -> dict[str, Contender]:
        """All but float, with their measured speeds, for the verdict."""
        return {
            each.name: Contender(
                each.title,
                self.numbers[each.name]["accuracy_loss"],
                self.numbers[each.name]["accuracy_loss_high"],
                speeds[each.name].low,
                speeds[each.name].high,
            )
            for each in self.candidates[1:]
        }

    def facts(self, refused: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        """What `verdict.json` says of each candidate."""
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
        """What `metrics.json` says: numbers alone, as `dvc metrics` shows them."""
        return {"validation": self.numbers, "bytes": self.sizes, "images": len(self._validation.labels)}
