"""The verdict and its reason."""

import pytest

from darkroom.compression.verdict import decide


@pytest.mark.parametrize(
    ("loss", "fast", "choice", "reason"),
    [
        (
            0.001,
            True,
            "int8",
            "INT8 is at least 1.2 times as fast as float here and loses 0.1 points of validation accuracy (0.5 allowed)",
        ),
        (
            -0.01,
            True,
            "int8",
            "INT8 is at least 1.2 times as fast as float here and gains 1 point of validation accuracy (0.5 allowed)",
        ),
        (0.013, True, "float", "INT8 loses 1.3 points of validation accuracy (0.5 allowed)"),
        (0.005, False, "float", "INT8 is not at least 1.2 times as fast as float here"),
        (
            0.44,
            False,
            "float",
            "INT8 loses 44 points of validation accuracy (0.5 allowed) and is not at least 1.2 times as fast as float here",
        ),
    ],
)
def test_the_choice_and_its_reason(loss: float, fast: bool, choice: str, reason: str) -> None:
    verdict = decide(loss, max_accuracy_loss=0.005, fast_enough=fast, min_speedup=1.2)
    assert (verdict.choice, verdict.reason) == (choice, reason)


def test_exactly_the_allowed_loss_is_allowed() -> None:
    assert decide(3 / 600, 0.005, fast_enough=True, min_speedup=1.2).choice == "int8"
