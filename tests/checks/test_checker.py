"""Great Expectations in a process of its own: the same answer as here, and an error when it dies."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from darkroom.checks.checker import Checker
from darkroom.checks.suite import Suite, Tables, Validation
from darkroom.runtime.errors import DarkroomError
from tests.conftest import ROOT

CHECKS = [
    Suite(("size",)).at_least("size", "smallest", "images.side", 8, "pixels", "fix it"),
    Suite(()).at_most("size", "shift", "change.shift", 0.1, "number", "fix it"),
]
TABLES: Tables = {"images": {"side": [5, 9]}, "change": {"shift": [0.0]}}


def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fresh process, where Great Expectations is not loaded."""
    monkeypatch.delitem(sys.modules, "great_expectations", raising=False)


def ask() -> Validation:
    with Checker() as checker:
        checker.send(CHECKS, TABLES)
        return checker.receive()


def test_a_process_apart_gives_the_same_answer_and_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import great_expectations  # noqa: F401

    here = ask()
    apart(monkeypatch)
    monkeypatch.chdir(tmp_path)
    there = ask()
    assert there == here
    assert [outcome.status for outcome in there.outcomes] == ["failed", "passed"]
    assert there.outcomes[0].stops_the_line and set(there.suites) == {"images", "change"}
    assert "side" in there.documentation["sections"]
    assert not [child for child in psutil.Process().children() if "darkroom.checks" in " ".join(child.cmdline())]


def test_a_process_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch)
    with Checker() as checker:
        assert checker._process is not None
        checker._process.kill()
        checker.send(CHECKS, TABLES)
        with pytest.raises(DarkroomError, match=r"ended with exit status -9: it printed nothing"):
            checker.receive()


def test_an_error_on_the_way_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch)
    with pytest.raises(KeyboardInterrupt), Checker() as checker:
        process = checker._process
        raise KeyboardInterrupt
    assert process is not None and process.returncode is not None


def test_what_only_warns_is_shown_as_a_warning() -> None:
    warns = Suite(()).at_least("size", "smallest", "images.side", 8, "pixels", "fix it")
    with Checker() as checker:
        checker.send([warns], TABLES)
        documentation = checker.receive().documentation
    sections = documentation["sections"]
    assert documentation["success"] and "fas fa-exclamation-circle" in sections and "fas fa-times" not in sections


def test_the_process_does_without_what_no_check_uses() -> None:
    code = (
        "import sys; from darkroom.checks.unused_imports import leave_out_unused_imports as leave_out; leave_out();"
        "import darkroom.checks.worker; print([name for name in sys.modules if name.split('.')[0] in "
        "('sqlalchemy', 'botocore') or name in ('altair.vegalite', 'scipy.stats._stats_py')]);"
        "from scipy import stats; print(stats.norm.sf(0))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.split() == ["[]", "0.5"], "what is left for later is there when it is used"
