"""What the processor can do."""

import platform
from pathlib import Path


def cpu_flags() -> set[str]:
    """The features of the processor as Linux lists them; none on other systems, where the slower and safer choice is made."""
    if platform.system() != "Linux":
        return set()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()
