"""Whether an environment has every version of a lock already; run by the Makefile where the environment has no note of it.

python .ci/installed.py requirements.txt    # exit status 0: it has
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def has(line: str) -> bool:
    """Whether a `name==version` is installed; a local build, such as torch's 2.13.0+cpu, counts as its version."""
    name, _, wanted = line.partition("==")
    try:
        return version(name).split("+")[0] == wanted
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    lines = [line.strip() for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    sys.exit(not all(has(line) for line in lines if line and not line.startswith("#")))
