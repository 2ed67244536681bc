"""A reason of the gate: one check, whether it passed, in words and in numbers; and the parts that several checks share."""

from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["promote", "hold", "reject"]


@dataclass(frozen=True)
class Reason:
    """One check.

    Attributes:
        check: its name.
        passed: whether the candidate may be promoted as far as this check goes.
        words: a sentence.
        numbers: what it rests on.
        otherwise: what follows where it did not pass.
    """

    check: str
    passed: bool
    words: str
    numbers: dict[str, Any] = field(default_factory=dict)
    otherwise: Outcome = "reject"

    def record(self) -> dict[str, Any]:
        """For `decision.json`."""
        return {
            "check": self.check,
            "passed": self.passed,
            "words": self.words,
            "otherwise": self.otherwise,
            "numbers": self.numbers,
        }


def points(fraction: float) -> str:
    """A difference of fractions in points, with its sign: `-0.52`."""
    return f"{100 * fraction:+.2f}"


def margin_words(margin: float) -> str:
    """A margin: `1 point`, `0.5 points`."""
    return f"{100 * margin:g} point{'' if margin == 0.01 else 's'}"
