"""Make requirements*.txt from their .in files: exact versions for Linux, macOS and every Python from 3.11 on, with the SHA-256
of each file that may be chosen, and no addresses. Versions that the locks have stay; remove a lock to get the newest ones.

    make lock
"""

import re
import subprocess
import sys
from pathlib import Path

# A block of a lock: `name==version`, often with a marker, and its hashes on the lines after it.
BLOCK = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+).*\n(?:    --hash=.*\n)+", re.MULTILINE)
CPU_BUILDS = Path(".ci/torch-cpu.sha256")
CUDA = "requirements-cuda.txt"
# Parts of the line that are installed alone, in the versions that the whole line has.
PARTS = tuple(f"requirements-{name}" for name in ("diff", "serve", "s3", "gs", "az", "serve-s3"))
# What is installed beside the line, which keeps its versions.
EXTRAS = ("requirements-dask", "requirements-ray")


def blocks(text: str) -> dict[str, str]:
    """Name → block of a lock's text."""
    return {found[1]: found[0] for found in BLOCK.finditer(text)}


def resolve(*wanted: str, earlier: tuple[str, ...] = (), constraint: str = "") -> dict[str, str]:
    """The blocks of everything that files ask for, in the versions that earlier locks have where they fit."""
    known = "".join(Path(lock).read_text(encoding="utf-8") for lock in earlier if Path(lock).exists())
    lock = Path(".lock.tmp")
    try:
        lock.write_text(known, encoding="utf-8")
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
        form = ["--generate-hashes", "--no-header", "--no-annotate", "--output-file", str(lock)]
        within = ["--constraint", constraint] if constraint else []
        done = subprocess.run([*command, *form, *within, *wanted], check=False, stdout=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"error: uv can't resolve {' and '.join(wanted)}; it says why above")
        return with_cpu_builds(blocks(lock.read_text(encoding="utf-8")))
    finally:
        lock.unlink(missing_ok=True)


def with_cpu_builds(packages: dict[str, str]) -> dict[str, str]:
    """The same blocks; those of torch and torchvision with the hashes of their CPU builds, too."""
    rows = [line.split() for line in CPU_BUILDS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    for name in {"torch", "torchvision"} & set(packages):
        locked = f"{name}-{BLOCK.fullmatch(packages[name])[2]}+cpu-"  # type: ignore[index]
        cpu = {f"    --hash=sha256:{sha256}" for sha256, file in rows if file.startswith(locked)}
        if not cpu:
            sys.exit(f"error: {CPU_BUILDS} has no {locked}…whl: bring it up to date from the list of torch's own index")
        first, *hashes = packages[name].replace(" \\\n", "\n").splitlines()
        packages[name] = " \\\n".join([first, *sorted(cpu | set(hashes))]) + "\n"
    return packages


def write(path: str, packages: dict[str, str], made_from: str) -> None:
    head = f"# The lock of {made_from}: exact versions and the SHA-256 of their files, no addresses. Made by `make lock`.\n"
    Path(path).write_text(head + "".join(packages[name] for name in sorted(packages)), encoding="utf-8")


def main() -> None:
    line = resolve("requirements.in", earlier=("requirements.txt", CUDA))
    # Only torch's build for CUDA asks for what is for Linux alone: who has a CPU build is spared its 3 GB.
    cuda = {name: block for name, block in line.items() if "sys_platform == 'linux'" in block}
    write("requirements.txt", {name: block for name, block in line.items() if name not in cuda}, "requirements.in")
    write(CUDA, cuda, "what torch's build for CUDA needs beside requirements.txt and requirements-tflite.txt")
    for part in PARTS:
        write(f"{part}.txt", resolve(f"{part}.in", constraint="requirements.txt"), f"{part}.in")
    both = resolve("requirements.in", "requirements-dev.in", earlier=("requirements.txt", CUDA, "requirements-dev.txt"))
    tests = {name: block for name, block in both.items() if name not in line}
    write("requirements-dev.txt", tests, "requirements-dev.in")
    for extra in EXTRAS:
        both = resolve("requirements.in", f"{extra}.in", earlier=("requirements.txt", CUDA, f"{extra}.txt"))
        write(f"{extra}.txt", {name: block for name, block in both.items() if name not in line}, f"{extra}.in")
    converter = resolve("requirements-tflite.in", earlier=("requirements-tflite.txt",), constraint=CUDA)
    own = {name: block for name, block in converter.items() if name not in cuda}
    write("requirements-tflite.txt", own, "requirements-tflite.in")


if __name__ == "__main__":
    main()
