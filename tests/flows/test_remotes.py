"""Branches and tags reach a remote where there is one, and a pull request is opened where there is `gh`."""

import os
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.git import git
from flows.remotes import fetch_tags, open_pull_request, push_branch, push_tags
from tests.support.registry import make_git, promote_bundle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_git(tmp_path / "repository")
    return tmp_path / "repository"


def add_remote(root: Path, name: str) -> Path:
    folder = root.parent / f"{name}.git"
    git(root, "init", "-q", "--bare", str(folder))
    git(root, "remote", "add", name, str(folder))
    return folder


def test_without_a_remote_nothing_is_pushed_and_with_one_branch_and_tags_are(root: Path) -> None:
    promote_bundle(root, 1)
    git(root, "tag", "other")
    git(root, "branch", "retrain/2026-11-28-12345678")
    assert not push_branch(root, "retrain/2026-11-28-12345678") and not push_tags(root)
    remote = add_remote(root, "team")
    assert push_branch(root, "retrain/2026-11-28-12345678") and push_tags(root)
    refs = git(remote, "for-each-ref", "--format=%(refname)").splitlines()
    assert refs == [
        "refs/heads/retrain/2026-11-28-12345678",
        "refs/tags/classifier#champion#1",
        "refs/tags/classifier@v1.0.0",
    ]


def test_a_clone_without_tags_gets_those_of_its_remote(root: Path) -> None:
    promote_bundle(root, 1)
    git(root, "tag", "other")
    clone = root.parent / "clone"
    git(root, "clone", "-q", "--no-tags", str(root), str(clone))
    assert git(clone, "tag") == ""
    fetch_tags(clone)
    assert git(clone, "tag").split() == ["classifier#champion#1", "classifier@v1.0.0"]
    fetch_tags(root)


def test_of_several_remotes_the_branchs_own_is_taken_else_origin(root: Path) -> None:
    one, other = add_remote(root, "one"), add_remote(root, "other")
    assert not push_branch(root, "main")
    git(root, "config", "branch.main.remote", "other")
    assert push_branch(root, "main")
    assert git(other, "branch", "--list", "main") and not git(one, "branch", "--list", "main")
    origin = add_remote(root, "origin")
    git(root, "config", "--unset", "branch.main.remote")
    assert push_branch(root, "main") and git(origin, "branch", "--list", "main")


def test_a_remote_that_is_gone_is_named(root: Path) -> None:
    git(root, "remote", "add", "origin", str(root.parent / "nowhere.git"))
    with pytest.raises(DarkroomError, match=r"(?s)`git push --quiet origin refs/heads/main` .* failed: .*nowhere.git"):
        push_branch(root, "main")


GH = """#!/bin/sh
printf '%s\\n' "$@" > "$PWD/asked"
[ -e fails ] && { echo "no permission" >&2; exit 1; }
echo https://example.org/pull/7
"""


def test_a_pull_request_is_opened_where_there_is_gh(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = root / "changes.md"
    body.write_text("changes")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if (Path("/usr/bin/gh")).exists():
        pytest.skip("this machine has gh")
    assert open_pull_request(root, "retrain/x", "main", "Candidate", body) is None
    program = root.parent / "bin/gh"
    program.parent.mkdir()
    program.write_text(GH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin:/bin")
    assert open_pull_request(root, "retrain/x", "main", "Candidate", body) == "https://example.org/pull/7"
    assert (root / "asked").read_text().splitlines() == [
        *("pr", "create", "--head=retrain/x", "--base=main", "--title=Candidate", f"--body-file={body}"),
    ]
    (root / "fails").touch()
    with pytest.raises(DarkroomError, match="`gh pr create` failed: no permission"):
        open_pull_request(root, "retrain/x", "main", "Candidate", body)
