"""A git worktree for one retraining: the branch as it is committed, with the user's images, labels and DVC cache.

The user's folder, index and branch stay as they are, and `make run` beside it goes its own way: each has a line of its own, and
they share DVC's cache, which is written so that two may.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import link_or_copy, whole_folder
from darkroom.runtime.git import git
from darkroom.runtime.lock import LINE_LOCK, STARTED_UNDER, alone
from darkroom.runtime.paths import ARRAYS, LABEL_FIXES, OUTPUTS
from darkroom.settings.read import Params, read_params
from flows import orphans, storage

FOLDER = Path(".darkroom/retrain")
TREES = FOLDER / "tree"
# In the place of the worktree's `.darkroom`, so that its caches and the checkpoint of a killed training outlive it.
STATE = FOLDER / "state"
# What the last worktree packed, which DVC's cache does not have; the receipts in STATE are of these files.
PACKED = FOLDER / "packed"
# No hook of the user's: DVC's own, `dvc install`, would check out data and refuse commits.
QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")


@dataclass
class Worktree:
    """Where a retraining works.

    Attributes:
        root: of the user's repository.
        folder: of the worktree, with the same files.
        branch: that it started at; empty where none was checked out.
        commit: 40 hex digits.
        keep: leave it where it is, for those who look at its images.
    """

    root: Path
    folder: Path
    branch: str
    commit: str
    keep: bool = False


@contextmanager
def open_worktree(
    root: Path, branch: str | None, who: str, say: Callable[[str], None], spared: Path | None = None
) -> Iterator[Worktree]:
    """A fresh worktree; it is removed at the end, unless it is to be spared.

    Args:
        root: of the user's repository; it is the current folder, too.
        branch: to start at; None for the one that is checked out.
        who: we are, for those who come meanwhile.
        say: takes the message that we wait, and for whom.
        spared: the worktree of an earlier retraining that stays where it is; all others are removed.

    Raises:
        DarkroomError: where there is no commit to start at, or DVC does not know the repository.
    """
    with alone(root / FOLDER / "lock", "another retraining is at work in this folder", who, say):
        _end_killed(root)
        for left in (root / TREES).glob("*"):
            if spared is None or not spared.is_relative_to(left):
                _keep_packed(root, left)
                _remove(root, left)
        name = branch or git(root, "branch", "--show-current")
        try:
            commit = git(root, "rev-parse", "--verify", f"{name or 'HEAD'}^{{commit}}")
        except DarkroomError as error:
            raise DarkroomError(
                f"retraining starts at a commit, and there is no {name or 'HEAD'}: commit first, or set registry.branch to a "
                f"branch that is there ({error})"
            ) from None
        params = _params_of(root, commit)
        (root / TREES).mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=root / TREES))
        top = place / Path(*["up"] * _ups(params)) / "darkroom"
        top.parent.mkdir(parents=True, exist_ok=True)
        git(root, *QUIET, "worktree", "add", "--quiet", "--detach", str(top), commit)
        tree = Worktree(root, top / git(root, "rev-parse", "--show-prefix"), name, commit)
        (root / STATE).mkdir(parents=True, exist_ok=True)
        (tree.folder / LINE_LOCK.parts[0]).symlink_to(root / STATE)
        _link_sources(tree, params)
        _link_data(tree)
        storage.share_storage(root, tree.folder)
        try:
            yield tree
        finally:
            _keep_packed(root, place)
            if not tree.keep:
                _remove(root, place)


def take_packed(tree: Worktree) -> None:
    """Have the worktree go on from the pixels that the one before packed.

    They are moved: DVC copies files with two names before it starts a stage with outputs that persist.
    """
    packed = tree.root / PACKED
    if packed.exists():
        packed.rename(tree.folder / ARRAYS)


def _keep_packed(root: Path, place: Path) -> None:
    """Keep the pixels of a worktree for the next one, under second names."""
    for packed in place.rglob(ARRAYS.as_posix()):
        with whole_folder(root / PACKED) as folder:
            shutil.copytree(packed, folder, copy_function=link_or_copy, dirs_exist_ok=True)


def _remove(root: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    git(root, "worktree", "prune")


def _end_killed(root: Path) -> None:
    """End what a killed retraining left at work."""
    lock = root / STATE / LINE_LOCK.relative_to(LINE_LOCK.parts[0])
    orphans.end_all(str(lock.resolve()), STARTED_UNDER)


def _params_of(root: Path, commit: str) -> Params:
    """The settings as the commit has them."""
    file = root / FOLDER / "params.yaml"
    file.write_text(git(root, "show", f"{commit}:./params.yaml") + "\n", encoding="utf-8")
    return read_params(file)


def _sources(params: Params) -> list[Path]:
    """The relative paths in the settings that lead to files of the user's."""
    named = (params.ingest.path, params.ingest.root, params.train.weights)
    return [Path(os.path.normpath(name)) for name in named if name and not Path(name).is_absolute() and name[0] != "~"]


def _ups(params: Params) -> int:
    """How many folders up the paths lead, at most: the worktree lies so deep in our own folder."""
    return max((path.parts.count("..") for path in _sources(params)), default=0)


def _link_sources(tree: Worktree, params: Params) -> None:
    """Have relative paths of the settings lead to the user's files, from the same names."""
    for path in _sources(params):
        theirs, ours = tree.root / path, Path(os.path.normpath(tree.folder / path))
        if theirs.exists():
            _replace(ours, theirs)


def _link_data(tree: Worktree) -> None:
    """What people put into data/, such as label fixes and the inbox of labels, beside what the line makes there."""
    made = {path.parts[1] for paths in OUTPUTS.values() for path in paths if path.parts[0] == "data"}
    for theirs in sorted((tree.root / "data").iterdir()):
        if theirs.name in made or theirs.name.startswith("."):
            continue
        ours = tree.folder / "data" / theirs.name
        if theirs.name == LABEL_FIXES.name:
            shutil.copy2(theirs, ours)  # it is committed with the candidate
        else:
            _replace(ours, theirs)


def _replace(ours: Path, theirs: Path) -> None:
    if ours.is_dir() and not ours.is_symlink():
        shutil.rmtree(ours)
    else:
        ours.unlink(missing_ok=True)
    ours.parent.mkdir(parents=True, exist_ok=True)
    ours.symlink_to(theirs.absolute())
