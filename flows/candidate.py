"""What a retraining starts from, the newest `dvc.lock`, and what it leaves: the candidate's commit on a branch."""

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ValidationError

from darkroom.registry import Version
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file
from darkroom.runtime.git import git, identity
from darkroom.runtime.paths import BUNDLE, LABEL_FIXES
from flows.dvc import DVC_LOCK
from flows.storage import locked_hash
from flows.worktree import FOLDER, QUIET, Worktree

RECORD = FOLDER / "last.json"


class Candidate(BaseModel):
    """The candidate that was judged last.

    Attributes:
        commit: 40 hex digits, on `branch`.
        branch: `retrain/2026-11-28-1a2b3c4d`.
        outcome: of the gate: promote, hold or reject.
        sentence: the reason.
        labels: how many new labels there were when it was judged.
        folder: of its worktree, which stays until the next retraining where the candidate is held.
    """

    commit: str
    branch: str
    outcome: str
    sentence: str
    labels: int = 0
    folder: str = ""


def last_candidate(root: Path) -> Candidate | None:
    """The candidate that was judged last; None where none is known, or its branch was deleted and cleaned up by git."""
    try:
        found = Candidate.model_validate_json((root / RECORD).read_text(encoding="utf-8"))
        git(root, "cat-file", "-e", f"{found.commit}^{{commit}}")
    except (FileNotFoundError, ValidationError, DarkroomError):
        return None
    return found


def remember(root: Path, candidate: Candidate) -> None:
    """Record the candidate that was judged."""
    with whole_file(root / RECORD) as file:
        file.write_text(candidate.model_dump_json(indent=2) + "\n", encoding="utf-8")


def take_newest_lock(tree: Worktree, last: Candidate | None, champion: Version | None) -> None:
    """Have the worktree start from the `dvc.lock` of the last candidate, else of the champion, where the branch has none since.

    Images then stay in the split where the candidate had them, though nobody has merged it yet.
    """
    for commit in (last and last.commit, champion and champion.commit):
        if commit and _unchanged_since(tree, commit):
            text = git(tree.folder, "show", f"{commit}:./{DVC_LOCK}")
            (tree.folder / DVC_LOCK).write_text(text + "\n", encoding="utf-8")
            return


def _unchanged_since(tree: Worktree, commit: str) -> bool:
    """Whether the branch has the `dvc.lock` that it had where a commit left it."""
    try:
        base = git(tree.folder, "merge-base", tree.commit, commit)
    except DarkroomError:  # they have no commit in common
        return False
    return _blob(tree, base) == _blob(tree, tree.commit)


def _blob(tree: Worktree, commit: str) -> str | None:
    try:
        return git(tree.folder, "rev-parse", "--verify", f"{commit}:./{DVC_LOCK}")
    except DarkroomError:
        return None


def known_outcome(tree: Worktree, last: Candidate | None, champion: Version | None) -> str | None:
    """What is known about the model that the worktree's `dvc.lock` names, in words; None where it has to be judged."""
    if not (tree.folder / DVC_LOCK).exists():
        return None
    bundle = _bundle_hash((tree.folder / DVC_LOCK).read_text(encoding="utf-8"))
    if bundle is None:
        return None
    if champion and bundle == _bundle_hash(git(tree.folder, "show", f"{champion.commit}:./{DVC_LOCK}")):
        return f"{champion.number} was made of it"
    if last and bundle == _bundle_hash(git(tree.folder, "show", f"{last.commit}:./{DVC_LOCK}")):
        return f"{last.branch} was made of it: {last.sentence}"
    return None


def _bundle_hash(lock: str) -> str | None:
    return locked_hash(lock, BUNDLE.as_posix())


def commit_candidate(tree: Worktree, reports: list[Path], title: str, body: str) -> tuple[str, str]:
    """Commit `dvc.lock`, the label fixes and some reports, on a new branch `retrain/<day>-<8 digits of its content>`.

    Args:
        tree: with the candidate.
        reports: files in it, relative to its folder, which DVC does not track.
        title, body: of the message.

    Returns:
        The commit and the branch.

    Raises:
        DarkroomError: when git can't write.
    """
    files = [path for path in (DVC_LOCK, LABEL_FIXES, *reports) if (tree.folder / path).is_file()]
    git(tree.folder, *QUIET, "add", "--force", "--", *map(str, files))
    content = git(tree.folder, "write-tree")
    message = f"{title}\n\n{body}\n"
    commit = git(tree.folder, "commit-tree", content, "-p", tree.commit, text=message, environment=identity(tree.root))
    branch = f"retrain/{date.today():%Y-%m-%d}-{content[:8]}"
    git(tree.root, "update-ref", f"refs/heads/{branch}", commit)
    return commit, branch
