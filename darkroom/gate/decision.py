"""The decision: promote, hold or reject, with every reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from darkroom.gate.reasons import Outcome, Reason, margin_words

DIGITS = 6
EXIT_STATUS: dict[Outcome, int] = {"promote": 0, "hold": 3, "reject": 4}


@dataclass(frozen=True)
class Decision:
    """What the gate decided.

    Attributes:
        outcome: `promote`, `hold` or `reject`.
        sentence: the decision in words, with the reason that decides it.
        reasons: of all checks, in order.
        champion: what the candidate was held against; None for the first.
        candidate: what it is.
        anchor: `version` of the best model ever shown better, None where that is the champion or there is none; and `next`,
            what the following candidate is held against should this one be promoted.
        margin: accuracy that may be lost.
        detectable_difference: the margin that the test images can show for an equal model in four of five cases.
        disagreements: how many images the models differ on, and how many labels of them count.
    """

    outcome: Outcome
    sentence: str
    reasons: Sequence[Reason]
    champion: dict[str, Any] | None
    candidate: dict[str, Any]
    anchor: dict[str, Any]
    margin: float
    detectable_difference: float | None
    disagreements: dict[str, Any]

    @property
    def exit_status(self) -> int:
        """Of the command: 0, 3 or 4."""
        return EXIT_STATUS[self.outcome]

    def to_dict(self) -> dict[str, Any]:
        """The content of `decision.json`, rounded to a millionth."""
        content: dict[str, Any] = _rounded(
            {
                "outcome": self.outcome,
                "sentence": self.sentence,
                "reasons": [reason.record() for reason in self.reasons],
                "champion": self.champion,
                "candidate": self.candidate,
                "anchor": self.anchor,
                "margin": self.margin,
                "detectable_difference": self.detectable_difference,
                "disagreements": self.disagreements,
            }
        )
        return content


def outcome_of(reasons: Sequence[Reason]) -> Outcome:
    """What all reasons together come to: one that rejects is enough, then one that holds."""
    failed = {reason.otherwise for reason in reasons if not reason.passed}
    return "reject" if "reject" in failed else "hold" if "hold" in failed else "promote"


def sentence_of(
    outcome: Outcome, reasons: Sequence[Reason], candidate: str, champion: str | None, margin: float
) -> str:
    """The decision in words."""
    if outcome == "promote" and champion is None:
        return f"Promote {candidate}: it is the first, and nothing speaks against it."
    if outcome == "promote":
        return f"Promote {candidate}: it loses at most {margin_words(margin)} of accuracy beside {champion}."
    deciding = next(reason for reason in reasons if not reason.passed and reason.otherwise == outcome)
    return f"{outcome.capitalize()} {candidate}, by {deciding.check}: {deciding.words}"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) else value
