import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from darkroom.drawing.pages import TEMPLATES, code, p_value, percent, probability, render_page, short


def test_pages_name_nothing_outside_themselves() -> None:
    for path in TEMPLATES.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "http://" not in text and "https://" not in text and "<script" not in text and "<link" not in text, path


def test_a_page_forbids_itself_the_network() -> None:
    assert "default-src 'none'" in render_page("base.html")


def test_a_forgotten_value_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        render_page("evaluation.html")


def test_a_name_does_not_turn_the_direction_of_a_page() -> None:
    with_name = render_page("gx_account.html", success=True, sections="gpj.\u202etxt<b>")
    assert "gpj.\\u202etxt&lt;b&gt;" in with_name and "\u202e" not in with_name


def test_percent() -> None:
    assert [percent(share) for share in (0.9413, 0.9, 1, 0)] == ["94.1%", "90.0%", "100%", "0%"]


@given(st.integers(1, 10_000), st.data())
def test_percent_never_calls_a_share_all_or_nothing_that_is_not(of: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, of))
    shown = float(percent(part / of).rstrip("%"))
    assert (shown == 100) == (part == of) and (shown == 0) == (part == 0)
    assert shown == pytest.approx(100 * part / of, abs=0.051)


def test_a_probability_is_never_certain() -> None:
    assert [probability(p) for p in (1.0, 0.9991, 0.5, 0.0)] == ["over 99.9%", "over 99.9%", "50.0%", "under 0.1%"]


def test_long_names_are_cut() -> None:
    assert short("a" * 40) == "a" * 40
    assert short("a" * 41) == "a" * 39 + "…"


def test_backticks_become_code_and_all_else_is_escaped() -> None:
    assert code("set `a: <b>` & go") == "set <code>a: &lt;b&gt;</code> &amp; go"


def test_p_values_are_never_zero() -> None:
    assert [p_value(p) for p in (0.99999999, 0.793, 0.0)] == ["p = 1.000", "p = 0.793", "p < 0.001"]
