"""Which `dvc.lock` a retraining starts from, when nothing is new, and what of a candidate is committed."""

from pathlib import Path

import pytest

from darkroom.registry import Version
from darkroom.runtime.git import git
from flows.candidate import Candidate, commit_candidate, known_outcome, last_candidate, remember, take_newest_lock
from flows.worktree import Worktree
from tests.support.registry import make_git


def lock(bundle: str) -> str:
    return f"schema: '2.0'\nstages:\n  export:\n    cmd: x\n    outs:\n    - path: models/export\n      md5: {bundle}.dir\n"


@pytest.fixture
def tree(tmp_path: Path) -> Worktree:
    """A repository with a committed dvc.lock, and a worktree of it."""
    root = tmp_path / "repository"
    make_git(root)
    (root / "dvc.lock").write_text(lock("a"))
    (root / "data").mkdir()
    (root / "data/label_fixes.csv").write_text("path\n")
    (root / ".gitignore").write_text("reports/\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "made")
    git(root, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    return Worktree(root, tmp_path / "tree", "main", git(root, "rev-parse", "HEAD"))


def candidate(tree: Worktree, bundle: str, outcome: str = "reject") -> Candidate:
    """Commit a candidate with a bundle of its own."""
    (tree.folder / "dvc.lock").write_text(lock(bundle))
    (tree.folder / "reports/gate").mkdir(parents=True, exist_ok=True)
    (tree.folder / "reports/gate/decision.json").write_text("{}")
    commit, branch = commit_candidate(tree, [Path("reports/gate/decision.json")], "Candidate", "why")
    git(tree.folder, "checkout", "-q", "--force", tree.commit)
    return Candidate(commit=commit, branch=branch, outcome=outcome, sentence="5 points worse")


def version(commit: str) -> Version:
    return Version("v1.0.0", commit, "2026-11-28T00:00:00Z", "", {}, True)


def test_a_candidate_is_lock_labels_and_reports_on_a_branch_of_its_own(tree: Worktree) -> None:
    (tree.folder / "data/label_fixes.csv").write_text("path\nfixed\n")
    (tree.folder / "params.yaml").write_text("not this one\n")
    found = candidate(tree, "b")
    changed = git(tree.root, "diff", "--name-only", "main", found.commit).splitlines()
    assert changed == ["data/label_fixes.csv", "dvc.lock", "reports/gate/decision.json"]
    assert git(tree.root, "rev-parse", found.branch) == found.commit
    assert git(tree.root, "rev-parse", f"{found.commit}^") == tree.commit
    assert found.branch.startswith("retrain/20") and len(found.branch.rpartition("-")[2]) == 8
    assert git(tree.root, "status", "--porcelain") == ""
    remember(tree.root, found)
    assert last_candidate(tree.root) == found


def test_a_retraining_starts_from_the_last_candidate_unless_the_branch_has_a_newer_lock(tree: Worktree) -> None:
    champion, last = candidate(tree, "b"), candidate(tree, "c")
    take_newest_lock(tree, None, version(champion.commit))
    assert (tree.folder / "dvc.lock").read_text() == lock("b")
    take_newest_lock(tree, last, version(champion.commit))
    assert (tree.folder / "dvc.lock").read_text() == lock("c")
    (tree.root / "dvc.lock").write_text(lock("d"))
    git(tree.root, "commit", "-q", "-a", "-m", "made by hand")
    git(tree.folder, "checkout", "-q", "--force", "main~0")
    newer = Worktree(tree.root, tree.folder, "main", git(tree.root, "rev-parse", "main"))
    take_newest_lock(newer, last, version(champion.commit))
    assert (tree.folder / "dvc.lock").read_text() == lock("d")


def test_what_was_judged_is_known_and_what_was_made_by_hand_is_not(tree: Worktree) -> None:
    last = candidate(tree, "c")
    (tree.folder / "dvc.lock").write_text(lock("c"))
    assert known_outcome(tree, last, None) == f"{last.branch} was made of it: 5 points worse"
    assert known_outcome(tree, None, version(last.commit)) == "v1.0.0 was made of it"
    (tree.folder / "dvc.lock").write_text(lock("d"))
    assert known_outcome(tree, last, version(last.commit)) is None
    (tree.folder / "dvc.lock").unlink()
    assert known_outcome(tree, last, None) is None


def test_a_record_that_is_damaged_or_whose_commit_is_gone_counts_as_none(tree: Worktree) -> None:
    assert last_candidate(tree.root) is None
    remember(tree.root, Candidate(commit="0" * 40, branch="retrain/x", outcome="reject", sentence=""))
    assert last_candidate(tree.root) is None
    (tree.root / ".darkroom/retrain/last.json").write_text("{")
    assert last_candidate(tree.root) is None
