"""The memory that a graph takes at its peak: measured in a process of its own, which does nothing else.

Started by `peak_memory` as `python -m darkroom.compression.memory GRAPH BATCH`.
"""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from darkroom.inference.session import INPUT, OUTPUT, open_session
from darkroom.runtime.errors import DarkroomError

ROOT = Path(__file__).parents[2]
STATUS = Path("/proc/self/status")


def peak_memory(graph: Path, batch: int) -> int:
    """Bytes that a process takes beyond its start to open a graph and to answer one batch, at the peak.

    Args:
        graph: an ONNX file that `darkroom.inference.export.export_graph` wrote.
        batch: how many images at once.

    Raises:
        DarkroomError: when the process fails, with its last line.
    """
    command = [sys.executable, "-m", "darkroom.compression.memory", str(graph.resolve()), str(batch)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        raise DarkroomError(f"measuring the memory of {graph.name} ended with status {done.returncode}: {last}")
    return int(done.stdout)


def _peak() -> int:
    """The most bytes that this process has held."""
    if STATUS.exists():
        # On Linux getrusage tells of the process that started this one, too.
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _main() -> None:
    graph, batch = sys.argv[1:]
    before = _peak()
    session = open_session(Path(graph), threads=1)
    (taken,) = session.get_inputs()
    session.run([OUTPUT], {INPUT: np.zeros((int(batch), *taken.shape[1:]), dtype=np.uint8)})
    print(_peak() - before)


if __name__ == "__main__":
    _main()
