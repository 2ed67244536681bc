"""Axes: round ticks, few of them, at the places of their values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.drawing.axis import Axis, round_axis, round_steps

values = st.floats(-1e6, 1e6) | st.floats(0, 1)


@given(values, st.floats(0, 1e6))
def test_ticks_are_round_few_and_span_the_values(low: float, span: float) -> None:
    found = round_steps(low, low + span, 5)
    slack = 1e-6 * max(1.0, abs(low), span)
    assert found[0] <= low + slack and found[-1] >= low + span - slack
    assert 2 <= len(found) <= 8


@given(values, st.floats(0, 1e6), st.booleans())
def test_a_round_axis_is_lettered_at_both_ends_each_tick_with_another_text(
    low: float, span: float, percent: bool
) -> None:
    axis = round_axis("loss", low, low + span, percent)
    ticks = axis.lettered()
    assert (ticks[0][0], ticks[-1][0]) == (axis.low, axis.high)
    assert len({text for _, text in ticks}) == len(ticks)


@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e12))
def test_a_logarithmic_axis_has_at_least_one_tick_and_at_most_seven_within_it(low: float, ratio: float) -> None:
    ticks = Axis("size", low, low * ratio, log=True).lettered()
    assert 1 <= len(ticks) <= 7
    assert all(low * (1 - 1e-9) <= value <= low * ratio * (1 + 1e-9) for value, _ in ticks)


def test_values_lie_between_the_ends_and_what_is_beyond_at_them() -> None:
    assert Axis("x", 0, 2).places([-1, 0, 0.5, 2, 9, math.nan], 10, 30).tolist()[:5] == [10, 10, 15, 30, 30]
    assert np.isnan(Axis("x", 0, 2).places(math.nan, 10, 30))
    assert Axis("x", 1, 100, log=True).places([1, 10, 100], 0, 100).tolist() == [0, 50, 100]


@pytest.mark.parametrize(
    ("axis", "texts"),
    [
        (Axis("coverage", 0, 1, percent=True), ["0%", "20%", "40%", "60%", "80%", "100%"]),
        (Axis("epoch", 1, 12, whole=True), ["2", "4", "6", "8", "10", "12"]),
        (Axis("epoch", 1, 3, whole=True), ["1", "2", "3"]),
        (Axis("pixels", 90, 12_000, log=True), ["100", "200", "500", "1,000", "2,000", "5,000", "10,000"]),
        (Axis("pixels", 1, 1e9, log=True), ["1", "100", "10,000", "1e+06", "1e+08"]),
        (Axis("rate", 2, 4, log=True), ["2.0", "2.5", "3.0", "3.5", "4.0"]),
        (Axis("flip", -0.5, 1.5, ticks=[(0, "yes"), (1, "no")]), ["yes", "no"]),
        (round_axis("accuracy", 0.8123, 0.88, percent=True), ["80%", "82%", "84%", "86%", "88%"]),
        (round_axis("loss", 0.5, 0.5), ["0.500", "0.501"]),
    ],
)
def test_lettering(axis: Axis, texts: list[str]) -> None:
    assert [text for _, text in axis.lettered()] == texts
