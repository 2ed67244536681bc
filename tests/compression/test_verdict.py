"""The verdict and its reason."""

import pytest

from darkroom.compression.verdict import decide

SLOW = "is not at least 1.2 times as fast as float here"
FAST = "is at least 1.2 times as fast as float here"


@pytest.mark.parametrize(
    ("loss", "high", "fast", "choice", "reason"),
    [
        (0.001, 0.002, True, "int8", f"{FAST} and loses 0.1 points of validation accuracy, at the most 0.2 lost (0.5 allowed)"),
        (-0.01, 0.0, True, "int8", f"{FAST} and gains 1 point of validation accuracy, at the most 0 lost (0.5 allowed)"),
        (0.0, 0.13, True, "float", "loses 0 points of validation accuracy, at the most 13 lost (0.5 allowed)"),
        (0.001, 0.005, False, "float", SLOW),
        (0.44, 0.5, False, "float", f"loses 44 points of validation accuracy, at the most 50 lost (0.5 allowed) and {SLOW}"),
    ],
)  # fmt: skip
def test_the_choice_and_its_reason(loss: float, high: float, fast: bool, choice: str, reason: str) -> None:
    verdict = decide(loss, high, max_accuracy_loss=0.005, fast_enough=fast, min_speedup=1.2)
    assert (verdict.choice, verdict.reason) == (choice, f"INT8 {reason}")
