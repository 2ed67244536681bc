"""The decision and its reasons."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.compression.decision import CLEARLY_FASTER, MeasuredCandidate, SelectionLimits, decide

LIMITS = SelectionLimits(max_accuracy_loss=0.005, min_speedup=1.2, least_loss_high=0.001, images=2000)
SLOW = "is not at least 1.2 times as fast as float here"
AT_MOST = "of validation accuracy, at most"
FAST = "is at least 1.2 times as fast as float here"


def measured(loss: float, high: float, ratio: float, title: str = "INT8") -> MeasuredCandidate:
    return MeasuredCandidate(title, loss, high, ratio - 0.01, ratio + 0.01)


@pytest.mark.parametrize(
    ("loss", "high", "ratio", "choice", "reason"),
    [
        (0.001, 0.002, 2.0, "int8", f"{FAST} and loses 0.1 points {AT_MOST} 0.2 lost by its interval (0.5 allowed)"),
        (-0.01, 0.0, 2.0, "int8", f"{FAST} and gains 1 point {AT_MOST} 0 lost by its interval (0.5 allowed)"),
        (0.0, 0.13, 2.0, "float", f"loses 0 points {AT_MOST} 13 lost by its interval (0.5 allowed)"),
        (0.001, 0.005, 1.2, "float", SLOW),
        (0.44, 0.5, 0.9, "float", f"loses 44 points {AT_MOST} 50 lost by its interval (0.5 allowed) and {SLOW}"),
    ],
)  # fmt: skip
def test_the_choice_and_its_reason(loss: float, high: float, ratio: float, choice: str, reason: str) -> None:
    decision = decide({"int8": measured(loss, high, ratio)}, LIMITS)
    assert (decision.choice, decision.reason) == (choice, f"INT8 {reason}")
    assert list(decision.refused) == (["float"] if choice == "int8" else ["int8"])


def test_too_few_images_are_named_as_the_reason() -> None:
    limits = replace(LIMITS, least_loss_high=0.00892, images=220)
    decision = decide({"int8": measured(0.0, 0.00892, 2.0)}, limits)
    assert decision.refused["int8"] == (
        "loses 0 points of validation accuracy, at most 0.892 lost by its interval (0.5 allowed; "
        "220 validation images can't show less than 0.892)"
    )


def test_the_fastest_inside_the_limits_is_taken_and_each_other_told_why_not() -> None:
    found = {
        "int8": measured(0.002, 0.004, 2.0),
        "pruned": measured(0.001, 0.002, 1.5, "Pruned float"),
        "pruned_int8": measured(0.03, 0.04, 4.0, "Pruned INT8"),
        "slow": measured(0.0, 0.001, 1.1, "Slow"),
    }
    decision = decide(found, LIMITS)
    assert decision.choice == "int8"
    assert decision.refused == {
        "float": "INT8 is faster and inside the limits",
        "pruned": "is inside the limits, but INT8 is faster",
        "pruned_int8": "loses 3 points of validation accuracy, at most 4 lost by its interval (0.5 allowed)",
        "slow": SLOW,
    }


def test_of_two_that_are_about_as_fast_the_more_accurate_is_taken() -> None:
    accurate, fast = measured(0.0, 0.001, 2.0), measured(0.002, 0.004, 2.06, "Dynamic INT8")
    decision = decide({"int8_dynamic": fast, "int8": accurate}, LIMITS)
    assert decision.choice == "int8"
    assert decision.refused["int8_dynamic"] == "is inside the limits, but INT8 is about as fast and loses no more"


def test_with_none_inside_every_reason_is_told() -> None:
    found = {"int8": measured(0.03, 0.04, 2.0), "pruned": measured(0.0, 0.001, 1.0, "Pruned float")}
    decision = decide(found, LIMITS)
    assert decision.choice == "float"
    assert decision.reason == (
        f"INT8 loses 3 points of validation accuracy, at most 4 lost by its interval (0.5 allowed); Pruned float {SLOW}"
    )


CONTENDERS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(measured, st.floats(-0.01, 0.02), st.floats(-0.005, 0.02), st.floats(0.5, 5)),
    min_size=1,
)


@given(CONTENDERS)
def test_what_ships_is_inside_none_is_surely_faster_and_who_loses_less_is_surely_slower_than_one(
    found: dict[str, MeasuredCandidate],
) -> None:
    decision = decide(found, LIMITS)
    fit = {
        name
        for name, each in found.items()
        if each.loss_high <= LIMITS.max_accuracy_loss and each.ratio_low > LIMITS.min_speedup
    }
    assert {decision.choice, *decision.refused} == {"float", *found}
    assert (decision.choice == "float") is not bool(fit)
    if fit:
        taken = found[decision.choice]
        assert decision.choice in fit
        for name in fit:
            assert found[name].ratio_low <= CLEARLY_FASTER * taken.ratio_high
            if found[name].loss_high < taken.loss_high:
                assert any(found[other].ratio_low > CLEARLY_FASTER * found[name].ratio_high for other in fit)


@given(CONTENDERS)
def test_the_order_in_which_they_come_does_not_matter(found: dict[str, MeasuredCandidate]) -> None:
    apart = {name: replace(each, loss_high=each.loss_high + 1e-9 * ord(name)) for name, each in found.items()}
    assert decide(apart, LIMITS).choice == decide(dict(reversed(apart.items())), LIMITS).choice
