"""The history names every version and every move, and says where the link leads elsewhere."""

from pathlib import Path

import pytest

from darkroom.registry import rollback
from darkroom.registry.history import history_text
from darkroom.registry.versions import LINK
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.git import git
from tests.support.registry import make_git, promote_bundle


def test_the_history_has_versions_moves_and_a_link_that_leads_elsewhere(tmp_path: Path) -> None:
    make_git(tmp_path)
    assert history_text(tmp_path).endswith("the first that passes the gate is v1.0.0")
    git(tmp_path, "remote", "add", "origin", "elsewhere")
    assert history_text(tmp_path).startswith("no version of classifier here yet: `make retrain` makes a candidate")
    assert history_text(tmp_path).endswith("is v1.0.0; `git fetch --tags` gets those of the remote")
    first, second = promote_bundle(tmp_path, 1), promote_bundle(tmp_path, 2)
    rollback(tmp_path, reason="complaints")
    lines = history_text(tmp_path).splitlines()
    assert lines[0] == "classifier: 2 versions, the newest first"
    assert lines[1].startswith("  v1.1.0 ") and lines[1].endswith(f"  {second.commit[:8]}  published here")
    assert lines[2].strip() == "model 2 is better"
    assert lines[3].startswith("* v1.0.0 ") and first.commit[:8] in lines[3]
    moves = lines[lines.index("moves of the champion (*)") + 1 :]
    assert [line.split("  ")[-1] for line in moves] == [
        "v1.0.0 is the champion, after v1.1.0: complaints",
        "v1.1.0 is the champion: model 2 is better",
        "v1.0.0 is the champion: model 1 is better",
    ]
    assert "make rollback" not in "\n".join(lines)
    (tmp_path / LINK).unlink()
    assert history_text(tmp_path).endswith(
        f"{LINK} is not there: `make rollback VERSION=v1.0.0` leads it to the champion"
    )


def test_without_git_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DarkroomError, match=f"{tmp_path} is not a git repository: work in a clone, or `git init` and commit"
    ):
        history_text(tmp_path)
