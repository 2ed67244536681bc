"""A variable that is set but empty, or blank, counts as not set; nothing in the project reads the environment past this."""

import os
import re
from pathlib import Path

import pytest

from darkroom.runtime.cache_folder import cache_folder
from darkroom.runtime.environment import forget_empty, set_default, variable
from tests.conftest import ROOT

# Reading one value; assigning one and handing all of them on are something else.
READS = re.compile(r"getenv|os\.environ(?:\.(?:get|pop|setdefault)\b|\[[^]]*\](?! *=[^=]))|\bin os\.environ\b")


@pytest.mark.parametrize(("value", "found"), [(None, None), ("", None), (" ", None), ("0", "0"), (" a ", " a ")])
def test_a_variable_has_a_value_or_none(value: str | None, found: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_TEST", "")  # restored at the end, whatever is set meanwhile
    del os.environ["DARKROOM_TEST"]
    if value is not None:
        monkeypatch.setenv("DARKROOM_TEST", value)
    assert variable("DARKROOM_TEST") == found
    assert set_default("DARKROOM_TEST", "mine") == os.environ["DARKROOM_TEST"] == (found or "mine")


def test_empty_variables_are_hidden_from_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TESTED_URL", ""), ("TESTED_KEY", " "), ("TESTED_HOME", "/a"), ("OTHER_TESTED", "")):
        monkeypatch.setenv(name, value)
    forget_empty("TESTED_")
    assert {name for name in os.environ if "TESTED_" in name or name == "OTHER_TESTED"} == {
        "TESTED_HOME",
        "OTHER_TESTED",
    }


def test_the_cache_is_below_the_home_where_the_variable_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/.cache/darkroom")


def test_one_module_reads_the_environment() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for room in ("darkroom", "stages", "flows")
        for path in (ROOT / room).rglob("*.py")
        for match in READS.finditer(path.read_text(encoding="utf-8"))
        if path.name != "environment.py"
    }
    assert found == set()
