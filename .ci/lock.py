"""Make requirements*.txt from their .in files: exact versions, no addresses. Run by `make lock`."""

import json
import re
import subprocess
import sys
from pathlib import Path


def resolve(*files: str, constraint: str = "") -> dict[str, str]:
    """Name → version of everything that pip would install for these files into an empty environment."""
    wanted = [option for file in files for option in ("-r", file)]
    wanted += ["-c", constraint] if constraint else []
    command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed", "--report", "-"]
    report = json.loads(subprocess.run([*command, *wanted], check=True, capture_output=True, text=True).stdout)
    packages = [item["metadata"] for item in report["install"]]
    # A local build of torch says 2.13.0+cpu; the lock must suit every machine, so the build's own part is dropped.
    return {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"].split("+")[0] for each in packages}


def write(path: str, packages: dict[str, str], made_from: str) -> None:
    lines = [f"# The lock of {made_from}: exact versions, no addresses. Made by `make lock`."]
    lines += [f"{name}=={version}" for name, version in sorted(packages.items())]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    line = resolve("requirements.in")
    everything = resolve("requirements.in", "requirements-dev.in")
    write("requirements.txt", line, "requirements.in")
    write("requirements-serve.txt", resolve("requirements-serve.in", constraint="requirements.txt"), "requirements-serve.in")
    tests = {name: version for name, version in everything.items() if name not in line}
    write("requirements-dev.txt", tests, "requirements-dev.in")
    write("requirements-tflite.txt", resolve("requirements-tflite.in"), "requirements-tflite.in")


if __name__ == "__main__":
    main()
