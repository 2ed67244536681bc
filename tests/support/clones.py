"""Clones of this repository as a user has them, with an empty DVC cache each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def clone_repository(folder: Path) -> None:
    """Make a clone of what is in the working tree, with this environment as its `.venv` and without TFLite."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    # A conversion takes twelve seconds, and its packages minutes: tests/bundle/test_tflite.py sees to it once.
    params = (folder / "params.yaml").read_text(encoding="utf-8")
    # 21 passes over 1,000 images are what predict takes longest for.
    params = params.replace("robustness_images: auto", "robustness_images: 60")
    (folder / "params.yaml").write_text(params.replace("  tflite: true", "  tflite: false"), encoding="utf-8")
    for command in ("init -q -b main", "config user.name Tester", "config user.email tester@localhost", "add -A"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "Clone"], cwd=folder, check=True)


def user_environment(home: Path) -> dict[str, str]:
    """The environment of a user with an empty home, and with fetched data sets where they are cached already."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PREFECT_", "VENV", "MAKE"))
    }
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return environment | {"HOME": str(home), "XDG_CACHE_HOME": cache}
