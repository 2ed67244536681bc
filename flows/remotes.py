"""What leaves the machine, where git and DVC have a remote: branches, tags, data, and a pull request by GitHub's `gh`."""

import shutil
import subprocess
from pathlib import Path

from darkroom.registry.tags import NAME
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.git import git
from flows import storage


def git_remote(root: Path) -> str | None:
    """The remote of the branch that is checked out, else `origin`, else the only one; None where there is none."""
    known = git(root, "remote").splitlines()
    branch = git(root, "branch", "--show-current")
    asked = subprocess.run(
        ["git", "config", f"branch.{branch}.remote"], cwd=root, capture_output=True, text=True, check=False
    )
    for name in (asked.stdout.strip(), "origin", *known[: len(known) == 1]):
        if name in known:
            return name
    return None


def push_branch(root: Path, branch: str) -> bool:
    """Push a branch; whether there was a remote to push it to.

    Raises:
        DarkroomError: when the remote does not take it.
    """
    remote = git_remote(root)
    if remote:
        git(root, "push", "--quiet", remote, f"refs/heads/{branch}", environment={"GIT_TERMINAL_PROMPT": "0"})
    return remote is not None


def fetch_tags(root: Path) -> None:
    """Fetch the tags of versions and of assignments, where there is a remote: without them a clone counts from v1.0.0 again.

    Raises:
        DarkroomError: when the remote can't be asked, or has another commit for one of the tags.
    """
    if remote := git_remote(root):
        git(root, "fetch", "--quiet", "--no-tags", remote, *_tag_patterns(), environment={"GIT_TERMINAL_PROMPT": "0"})


def push_tags(root: Path) -> bool:
    """Push the tags of versions and of assignments; whether there was a remote to push them to.

    Raises:
        DarkroomError: when the remote does not take them.
    """
    remote = git_remote(root)
    if remote:
        git(root, "push", "--quiet", remote, *_tag_patterns(), environment={"GIT_TERMINAL_PROMPT": "0"})
    return remote is not None


def _tag_patterns() -> list[str]:
    return [f"refs/tags/{NAME}{mark}*:refs/tags/{NAME}{mark}*" for mark in "@#"]


def push_data() -> bool:
    """Push what the `dvc.lock` of the current folder names; whether there was a remote to push it to.

    Raises:
        DarkroomError: when the remote does not take it.
    """
    if not storage.remotes():
        return False
    storage.push()
    return True


def open_pull_request(root: Path, branch: str, base: str, title: str, body: Path) -> str | None:
    """Open a pull request for a branch that is pushed; its address, or None where there is no `gh`.

    Args:
        root: of the repository.
        branch: with the candidate.
        base: to which it is to be merged.
        title: of the pull request.
        body: a Markdown file.

    Raises:
        DarkroomError: when `gh` can't open it, with its reason.
    """
    program = shutil.which("gh")
    if not program:
        return None
    command = [
        program,
        "pr",
        "create",
        f"--head={branch}",
        f"--base={base}",
        f"--title={title}",
        f"--body-file={body.resolve()}",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise DarkroomError(f"`gh pr create` failed: {done.stderr.strip()}")
    return done.stdout.strip()
