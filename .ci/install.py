"""Install a lock into the environment of this Python: pip refuses each file whose SHA-256 is not in it.

python .ci/install.py requirements.txt
"""

import importlib
import re
import signal
import subprocess
import sys
from pathlib import Path

from installed import has, locked, locks


def pip(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    # A lock has all that is needed. pip 23.2 looks for what an extra asks for, such as sqlalchemy[asyncio], beside the lock.
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "install", *options]
    return subprocess.run([*command, *arguments], input=given, stderr=subprocess.PIPE, text=True, check=False)


def install_torch(lock: Path) -> subprocess.CompletedProcess[str]:
    """Install the CPU build where an index has one, as pip does without hashes, and otherwise the one for CUDA.

    With hashes pip 23 prefers files whose hash their index states to those of a folder, whatever their version.
    """
    block = re.search(r"^torch==\S+.*\n(?:    --hash=.*\n)+", lock.read_text(encoding="utf-8"), re.MULTILINE)
    assert block
    done = pip("--requirement", "/dev/stdin", given=re.sub(r"^torch==\S+", r"\g<0>+cpu", block[0]))
    if "No matching distribution" in done.stderr:
        done = pip("--requirement", "/dev/stdin", given=block[0])
    importlib.invalidate_caches()
    return done


def main(lock: Path) -> None:
    # Which build of torch there is shows only when it is here, and the one for CUDA needs 3 GB more.
    if any(each.name == "torch" and not has(each) for each in locked(lock)):
        done = install_torch(lock)
        if done.returncode:
            sys.exit(done.stderr)
    done = pip(*(word for each in locks(lock) for word in ("--requirement", str(each))))
    sys.exit(done.stderr if done.returncode else 0)


if __name__ == "__main__":
    # subprocess.run ends pip where this is asked to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(Path(sys.argv[1]))
