"""A git repository with bundles in it, for tests of versions and of the link."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from darkroom.registry import Version, promote
from darkroom.runtime.git import git
from tests.support.tiny_bundle import make_bundle

ROOT = Path(__file__).parents[2]


def make_git(root: Path) -> None:
    """An empty commit on a branch main."""
    root.mkdir(exist_ok=True)
    git(root, "init", "-q", "-b", "main")
    with (root / ".git/config").open("a") as file:
        file.write("[user]\n\tname = Tester\n\temail = tester@localhost\n")
    commit(root)


def commit(root: Path) -> str:
    """Another commit; its name."""
    git(root, "commit", "-q", "--allow-empty", "-m", "more")
    return (root / ".git/refs/heads/main").read_text().strip()


def pictures(count: int = 32) -> list[bytes]:
    """PNG files of 8 x 8 grey pixels, each another one."""
    found = []
    for pixels in np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        found.append(buffer.getvalue())
    return found


def promote_bundle(root: Path, seed: int, classes: tuple[str, ...] = ("bright", "dark", "été")) -> Version:
    """Promote a bundle of its own at a commit of its own."""
    bundle = make_bundle(root / f"candidate {seed}", classes, seed=seed)
    return promote(
        root, commit(root), bundle, {"sentence": f"model {seed} is better", "verdict": "promote"}, pictures()
    )


def run_killed(root: Path, program: str, step: int) -> tuple[int, str]:
    """Run Python that ends with SIGKILL at its n-th write to files or references; its status and what it printed.

    Args:
        root: the current folder of the process.
        program: what it runs.
        step: at which of its steps it is killed, from 0; a step is a renaming, a flush, a copy or a git command.
    """
    text = f"{KILLED}\nsys.path.insert(0, {str(ROOT)!r})\nkill_at({step})\n{program}"
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


KILLED = """
import os, pathlib, shutil, signal, subprocess, sys

def kill_at(step):
    left = [step]
    def counted(function):
        def call(*arguments, **named):
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return function(*arguments, **named)
        return call
    for place, name in (
        (os, "fsync"), (os, "replace"), (os, "rename"), (os, "unlink"), (shutil, "copyfile"), (subprocess, "run"),
        (pathlib.Path, "replace"), (pathlib.Path, "rename"), (pathlib.Path, "symlink_to"), (pathlib.Path, "unlink"),
    ):
        setattr(place, name, counted(getattr(place, name)))
"""
