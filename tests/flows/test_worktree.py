"""The worktree of a retraining: the branch as committed, the user's images and labels, and nothing of the user's changed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.config import Config

from darkroom.runtime.errors import DarkroomError
from flows.worktree import FOLDER, open_worktree, take_packed
from tests.support.repository import Repository, git_state


@pytest.fixture
def inside(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A repository as the current folder, with a remote whose path is relative, as DVC stores it."""
    config = repository.root / ".dvc/config"
    config.write_text(f"{config.read_text()}    remote = near\n['remote \"near\"']\n    url = ../stored\n")
    repository.git("commit", "--quiet", "--all", "--message=remote")
    monkeypatch.chdir(repository.root)
    for name, value in repository.environment.items():
        monkeypatch.setenv(name, value)
    yield repository


def test_a_worktree_has_the_committed_files_and_the_users_images_labels_cache_and_remote(inside: Repository) -> None:
    root = inside.root
    inside.set("epochs", 3)  # not committed
    (root / "data/label_fixes.csv").write_text("changed by hand\n")
    (root / "data/inbox").mkdir()
    (root / "data/inbox/labels.csv").touch()
    (root / "data/ingest").mkdir()
    (root / "images/zero/new.png").touch()
    (root / ".darkroom").mkdir()
    (root / ".darkroom/mine").touch()
    before, status = git_state(root), inside.git("status", "--porcelain", "--ignored")
    with open_worktree(root, None, "a test", print) as tree:
        assert (tree.branch, tree.commit) == ("main", inside.git("rev-parse", "HEAD").strip())
        assert "epochs: 12" in (tree.folder / "params.yaml").read_text()
        assert (tree.folder / "images/zero/new.png").exists()
        assert (tree.folder / "data/label_fixes.csv").read_text() == "changed by hand\n"
        assert not (tree.folder / "data/label_fixes.csv").is_symlink()
        assert (tree.folder / "data/inbox/labels.csv").exists()
        assert not (tree.folder / "data/ingest").exists()
        config = Config(str(tree.folder / ".dvc"))
        assert config["cache"]["dir"] == str(root / ".dvc/cache")
        assert config["remote"]["near"]["url"] == str(root / "stored")
        folder = tree.folder
    assert not folder.exists() and not (root / ".git/worktrees").exists()
    assert git_state(root) == before
    assert inside.git("status", "--porcelain", "--ignored") == status


def test_a_path_out_of_the_repository_leads_to_the_same_images_and_a_killed_worktree_is_in_nobodys_way(
    inside: Repository, tmp_path: Path
) -> None:
    shutil.move(inside.root / "images", inside.root.parent / "pictures")
    inside.set("path", "../pictures")
    inside.git("commit", "--quiet", "--all", "--message=elsewhere")
    inside.git("branch", "other", "HEAD~1")
    left = inside.root / FOLDER / "tree/darkroom"
    inside.git("worktree", "add", "--quiet", "--detach", str(left))  # as a kill leaves it
    with open_worktree(inside.root, None, "a test", print) as tree:
        assert len(list((tree.folder / "../pictures").resolve().rglob("*.png"))) == 15
        assert not left.exists()
        tree.keep = True
    assert tree.folder.exists()
    with open_worktree(inside.root, None, "a test", print, spared=tree.folder):
        assert tree.folder.exists()
    with open_worktree(inside.root, "other", "a test", print) as other:
        assert (other.branch, other.commit) == ("other", inside.git("rev-parse", "other").strip())
        assert not tree.folder.exists()
    with pytest.raises(DarkroomError, match="retraining starts at a commit, and there is no nothing"):
        open_worktree(inside.root, "nothing", "a test", print).__enter__()


def test_a_worktree_goes_on_from_what_the_one_before_packed_also_a_killed_or_a_spared_one(inside: Repository) -> None:
    root = inside.root

    def pixels(folder: Path) -> tuple[str, int, int]:
        file = folder / "data/preprocess/train/one.npy"
        return file.read_text(), file.stat().st_mtime_ns, file.stat().st_nlink

    with open_worktree(root, None, "a test", print) as first:
        take_packed(first)
        (first.folder / "data/preprocess/train").mkdir(parents=True)
        (first.folder / "data/preprocess/train/one.npy").write_text("packed")
        content, time, _ = pixels(first.folder)
    assert not first.folder.exists()
    with open_worktree(root, None, "a test", print) as second:
        # Not before the look whether there is anything to do.
        assert not (second.folder / "data/preprocess").exists()
        take_packed(second)
        # One name: DVC copies files with two before it starts a stage with outputs that persist.
        assert pixels(second.folder) == (content, time, 1)
        second.keep = True
    with open_worktree(root, None, "a test", print, spared=second.folder) as third:
        take_packed(third)
        assert pixels(third.folder)[:2] == pixels(second.folder)[:2] == (content, time)
    left = root / FOLDER / "tree/killed/darkroom"
    inside.git("worktree", "add", "--quiet", "--detach", str(left))
    shutil.copytree(second.folder / "data/preprocess", left / "data/preprocess")
    (left / "data/preprocess/train/one.npy").write_text("newer")
    shutil.rmtree(second.folder)
    with open_worktree(root, None, "a test", print) as fourth:
        assert not left.exists()
        take_packed(fourth)
        assert pixels(fourth.folder)[0] == "newer"
