"""The page of a tuning says what was tried, and stands with little."""

from darkroom.tuning.page import tuning_page
from darkroom.tuning.space import Choices, Range, Space
from darkroom.tuning.trial import TrialResult

SPACE: Space = {"learning_rate": Range(0.01, 1.0, True, False), "flip": Choices((True, False))}
BASELINE = TrialResult(None, "finished", {"learning_rate": "auto", "flip": True}, [(1, 0.9, 0.7), (2, 0.5, 0.8)])


def result(number: int, loss: float, rate: float = 0.1, state: str = "finished", reason: str = "") -> TrialResult:
    epochs = [] if state == "failed" else [(1, loss + 0.1, 0.5), (2, loss, 0.9)]
    return TrialResult(number, state, {"learning_rate": rate, "flip": False}, epochs, reason)  # type: ignore[arg-type]


def page(trials: list[TrialResult], best: TrialResult | None, importance: dict[str, float]) -> str:
    return tuning_page(
        study="0a1b2c3d",
        baseline=BASELINE,
        trials=trials,
        best=best,
        space=SPACE,
        importance=importance,
        images=200,
    )


def test_the_best_its_change_and_every_trial_are_there() -> None:
    best = result(2, 0.25, rate=1.0)
    trials = [
        result(0, 0.4),
        result(1, 2.0, state="pruned"),
        best,
        result(3, 0, state="failed", reason="loss is <nan>"),
    ]
    text = page(trials, best, {"learning_rate": 0.75, "flip": 0.25})
    assert text == page(trials, best, {"learning_rate": 0.75, "flip": 0.25})
    assert "Trial 2 is the best of 4: validation loss 0.2500 instead of 0.5000" in text
    assert "At a bound of its interval" in text and "learning_rate=1.0 (of 0.01 to 1, log scale)" in text
    assert "loss is &lt;nan&gt;" in text and "75.0%" in text
    assert text.count('<th scope="row">') == 2 + 2 + 5  # settings, importance, trials and the baseline
    assert "<script" not in text and "http" not in text.replace("http-equiv", "")


def test_little_to_show_is_said() -> None:
    assert "None of 0 trials is better" in page([], None, {})
    one = page([result(0, 0.9)], None, {})
    assert "The one trial is not better" in one
    assert "nothing can be estimated" in one and "At a bound" not in one
