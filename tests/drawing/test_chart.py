"""Charts keep to their plane, and say what they show to everybody."""

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from darkroom.drawing.axis import LEFT, RIGHT, TOP, Axis
from darkroom.drawing.chart import BELOW, Chart, Labels, Line, Mark, Points, Region, Rule, Steps, figure

SQUARE = Axis("recall", 0, 1), Axis("precision", 0.5, 1)
BOTTOM = 270 - BELOW

values = st.floats(-2, 3) | st.just(math.nan)


def drawn(*marks: Mark) -> str:
    """What a chart draws besides its axes."""
    return "".join(re.findall("<g.*</g>", figure(Chart("title", "note", *SQUARE, marks)).split("<figcaption>")[0]))


@given(st.lists(st.tuples(values, values), min_size=1, max_size=20))
def test_whatever_the_values_nothing_is_drawn_outside_the_plane(points: list[tuple[float, float]]) -> None:
    x, y = zip(*points, strict=True)
    text = drawn(Line(x, y, "cold"), Points(x, y, "cold", ["dot"] * len(x), low=[-1] * len(x), until=[9] * len(x)))
    places = re.findall(r'[ML]([\d.]+) ([\d.]+)|cx="([\d.]+)" cy="([\d.]+)"', text)
    assert all(LEFT <= float(a or c) <= RIGHT and TOP <= float(b or d) <= BOTTOM for a, b, c, d in places)
    assert text.count("<circle") == sum(not math.isnan(a + b) for a, b in points)
    assert "nan" not in text


def test_marks_lie_where_their_values_are() -> None:
    middle, level = (LEFT + RIGHT) // 2, (TOP + BOTTOM) // 2
    assert f'd="M{LEFT} {BOTTOM}L{middle} {level}L{RIGHT} {TOP}"' in drawn(Line([0, 0.5, 1], [0.5, 0.75, 1], "accent"))
    assert f'd="M{middle} {TOP}V{BOTTOM}"' in drawn(Rule(0.5, "soft"))
    assert f'd="M{LEFT} {level}H{RIGHT}"' in drawn(Rule(0.75, "soft", level=True))
    assert f'd="M{LEFT} {level}H{middle}V{TOP}H{LEFT}Z"' in drawn(Region((0, 0.5), (0.75, 1), "good"))
    assert f'd="M{LEFT} {BOTTOM}V{TOP}H{middle}V{level}H{RIGHT}V{BOTTOM}"' in drawn(
        Steps([0, 0.5, 1], [1, 0.75], "cold")
    )
    whiskers = drawn(Points([0.5], [0.75], "cold", ["here"], low=[0.5], high=[1], until=[1]))
    assert f'd="M{middle} {level}H{RIGHT}M{middle} {TOP}V{BOTTOM}"' in whiskers and "<title>here</title>" in whiskers


def test_a_value_that_is_no_number_leaves_a_gap() -> None:
    path = drawn(Line([0, 0.2, 0.5, 1], [1, math.nan, 0.7, 0.6], "cold"))
    assert re.findall("[MLnf]", path.split('d="')[1].split('"')[0]) == ["M", "M", "L"]


def test_points_that_do_not_bend_a_level_or_an_upright_line_are_left_out() -> None:
    stairs = drawn(Line([0, 0, 0, 0.25, 0.5, 1], [0.5, 0.6, 1, 1, 1, 1], "cold"))
    assert stairs.count("L") == 2
    back_and_forth = drawn(Line([0, 0, 0], [0.5, 1, 0.75], "cold"))
    assert back_and_forth.count("L") == 2


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.5, 1)), min_size=2, max_size=8))
def test_labels_do_not_lie_on_each_other(points: list[tuple[float, float]]) -> None:
    x, y = zip(*points, strict=True)
    text = drawn(Labels(x, y, [f"graph {k}" for k in range(len(x))]))
    boxes = []
    for left, height, anchor in re.findall(r'x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)"', text):
        start = float(left) - (56 if anchor == "end" else 0)
        boxes.append((start, start + 56, float(height)))
    assert len(boxes) == len(points)
    for k, (left, right, height) in enumerate(boxes):
        assert all(left >= end or right <= start or abs(height - other) > 14.9 for start, end, other in boxes[:k])


def test_title_note_and_names_are_there_for_all_and_escaped() -> None:
    marks = [Line([0, 1], [1, 1], "cold", "<a> & 'b'"), Line([0, 1], [1, 1], "soft")]
    text = figure(Chart("Title", 'of "x" < y', *SQUARE, marks, alt="a is 1"))
    assert 'role="img" aria-label="Title: of &#34;x&#34; &lt; y; a is 1"' in text
    assert "<bdi>of &#34;x&#34; &lt; y</bdi>" in text and "<bdi>&lt;a&gt; &amp; &#39;b&#39;</bdi>" in text
    assert text.count("<bdi>") == 2, "what has no name is not in the legend"
    assert "recall →" in text and "↑ precision" in text
    assert "http" not in text and "id=" not in text
