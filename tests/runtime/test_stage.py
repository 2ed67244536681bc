"""Around a command: what it prints, and how it ends."""

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors


def test_nothing_that_is_printed_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"), user_errors():
        print("class \x1b[2Jcat\r\n\tdog")
        raise DarkroomError("no \x1b]0;title\x07:\n  - \u202ename")
    printed = capsys.readouterr()
    assert printed.out == "class \\x1b[2Jcat\\r\n\tdog\n"
    assert printed.err == "error: no \\x1b]0;title\\x07:\n  - \\u202ename\n"


def test_a_command_without_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with user_errors():
        print("nowhere")
