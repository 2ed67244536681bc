"""How many cores there are for us, and how the threads on them wait: for every library that has threads of its own.

Imported before any of them: what is set here is read when they are loaded. So it imports nothing but the standard library.
"""

import math
import os
import time
from pathlib import Path

from darkroom.runtime.environment import set_default, variable

# How often a thread of libgomp looks for work before it sleeps. By default it spins for milliseconds, and beside other programs
# the threads then wait for one that has no core: 42.7 s for a training beside four busy processes, and 29.6 s with this; on a
# quiet machine there is no difference, where OMP_WAIT_POLICY=passive costs a tenth.
SPINS = "10000"
# Where Arrow's memory is from. Its own allocator holds 80 MiB more in each stage, and takes 2.2 s to read the manifest of a
# million images where the system's takes 1.4.
ARROW_POOL = "system"
CONTROL_GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# Looks at what is running, and seconds between two of them.
LOOKS, PAUSE = 5, 0.02


def usable_cores() -> int:
    """The cores that this process may use: those it may run on, or fewer where a quota allows fewer (`docker run --cpus=1`)."""
    return max(1, math.ceil(min(_allowed_cores(), _quota())))


def operator_threads() -> int:
    """Threads for the work inside one operator, for libraries that look at the whole machine.

    As many as `OMP_NUM_THREADS` where it is set, else one for each usable core, without hyperthreads.
    """
    first = (variable("OMP_NUM_THREADS") or "").split(",")[0].strip()
    if first.isdigit():
        return max(1, int(first))
    import psutil

    return min(usable_cores(), psutil.cpu_count(logical=False) or usable_cores())


def set_thread_defaults() -> None:
    """Set what OpenMP (torch, scikit-learn, faiss), MKL, OpenBLAS and Arrow read when they are loaded; what the user set stays.

    They look at the cores that they may run on, but not at a quota: with one core's worth of time on a machine with 64 cores
    they start 64 threads. Without a quota their own choice stays, which leaves out hyperthreads.
    """
    if variable("OMP_WAIT_POLICY") is None:
        set_default("GOMP_SPINCOUNT", SPINS)
    set_default("ARROW_DEFAULT_MEMORY_POOL", ARROW_POOL)
    if usable_cores() < _allowed_cores():
        set_default("OMP_NUM_THREADS", str(usable_cores()))


def busy_note() -> str | None:
    """One line on what others run on this machine, and what follows; None where our cores are ours alone."""
    cores, host = usable_cores(), os.cpu_count() or 1
    if not hasattr(os, "getloadavg") or os.getloadavg()[0] < 1:
        return None
    # The load is a mean over the last minute, in which this may have been our own run.
    waiting = _running_now()
    if waiting is None or waiting <= host - cores:
        return None
    return (
        f"{cores} {'core' if cores == 1 else 'cores'}, and {waiting:,} other {'thread' if waiting == 1 else 'threads'} at work "
        "or waiting on this machine: all takes longer, and the latencies that quantize measures are those of a busy machine "
        "(OMP_NUM_THREADS=1 is faster where it stays so)"
    )


def _allowed_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(groups: Path = CONTROL_GROUPS, own: Path = OWN_GROUPS) -> float:
    """The cores' worth of time that the control groups of this process allow; infinite where they set no limit.

    Args:
        groups: where they are mounted.
        own: the file with the path of this process in each hierarchy, `number:controllers:path`.
    """
    found = math.inf
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = groups / ("cpu" if controllers else "")
        folder = top / place.lstrip("/")
        # In a container the path may be that of the host, which is not there: the limit is then at the top.
        for each in (folder, *(parent for parent in folder.parents if parent == top or top in parent.parents)):
            found = min(found, _limit(each))
    return found


def _limit(folder: Path) -> float:
    """Of one control group: version 2 has both numbers in one file, version 1 in two."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((folder / name).read_text(encoding="utf-8") for name in names).split()
            if int(quota) > 0:
                return int(quota) / int(period)
        except (OSError, ValueError):  # "max", or a file that is not there
            continue
    return math.inf


def _running_now() -> int | None:
    """Threads on this machine that run or wait for a core, without this one: the median of some looks; None where not known."""
    counts = []
    for _ in range(LOOKS):
        try:
            running = Path("/proc/loadavg").read_text(encoding="utf-8").split()[3].partition("/")[0]
            counts.append(int(running) - 1)
        except (OSError, ValueError, LookupError):
            return None
        time.sleep(PAUSE)
    return sorted(counts)[LOOKS // 2]
