"""Whether an environment has every version of a lock already; run by the Makefile where the environment has no note of it.

python .ci/installed.py requirements.txt    # exit status 0: it has
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

try:
    from packaging.requirements import Requirement
except ImportError:  # A new environment has pip alone.
    from pip._vendor.packaging.requirements import Requirement

CUDA = Path("requirements-cuda.txt")


def locked(lock: Path) -> list[Requirement]:
    """What a lock asks for on this system and Python."""
    lines = re.findall(r"^[a-z0-9][^\n\\]*", lock.read_text(encoding="utf-8"), re.MULTILINE)
    found = [Requirement(line.strip()) for line in lines]
    return [each for each in found if each.marker is None or each.marker.evaluate()]


def has(wanted: Requirement) -> bool:
    """Whether a version is installed; a local build, such as torch's 2.13.0+cpu, counts as its version."""
    try:
        return wanted.specifier.contains(version(wanted.name).split("+")[0], prereleases=True)
    except PackageNotFoundError:
        return False


def locks(lock: Path) -> list[Path]:
    """The lock, and that of CUDA where the torch that is installed is the build for it: its CPU builds say +cpu."""
    with_torch = any(each.name == "torch" and has(each) for each in locked(lock))
    return [lock, CUDA] if with_torch and "+" not in version("torch") else [lock]


if __name__ == "__main__":
    sys.exit(not all(has(wanted) for lock in locks(Path(sys.argv[1])) for wanted in locked(lock)))
