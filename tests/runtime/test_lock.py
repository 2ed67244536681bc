"""A lock has one holder, and a second one is refused or waits."""

from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import alone


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    with (
        alone(tmp_path / "deep/lock", "taken"),
        pytest.raises(DarkroomError, match="taken"),
        alone(tmp_path / "deep/lock", "taken"),
    ):
        pass
    with alone(tmp_path / "deep/lock", "taken"):
        pass
