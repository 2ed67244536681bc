"""Git's plumbing, as commands: what they print, or why they failed."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError

AUTHOR = {"NAME": "Darkroom", "EMAIL": "darkroom@localhost"}


def git(root: Path, *arguments: str, text: str | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a git command.

    Args:
        root: the folder that it runs in.
        arguments: of git.
        text: for its standard input.
        environment: variables beside our own.

    Returns:
        What it prints, without the last line break.

    Raises:
        DarkroomError: with git's own reason; or where there is no git.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            env={**os.environ, **(environment or {})},
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise DarkroomError("there is no git on this machine") from None
    if done.returncode != 0:
        if "not a git repository" in done.stderr:
            raise DarkroomError(f"{root.resolve()} is not a git repository: work in a clone, or `git init` and commit")
        reason = done.stderr.strip() or f"it ended with status {done.returncode}"
        raise DarkroomError(f"`git {' '.join(arguments)[:200]}` in {root} failed: {reason}")
    return done.stdout.rstrip("\n")


def identity(root: Path) -> dict[str, str]:
    """For the environment of what writes commits and tags: a name and an address, each where git knows none."""
    unknown: dict[str, str] = {}
    for key, value in AUTHOR.items():
        command = ["git", "config", f"user.{key.lower()}"]
        if not subprocess.run(command, cwd=root, capture_output=True, check=False).stdout.strip():
            unknown |= {f"GIT_AUTHOR_{key}": value, f"GIT_COMMITTER_{key}": value}
    return {name: value for name, value in unknown.items() if variable(name) is None}
