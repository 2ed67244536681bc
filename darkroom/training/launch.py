"""Start one training in several processes with torchrun, and say once why it stopped."""

import ctypes
import logging
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import torch

from darkroom.runtime.cores import usable_cores
from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import read_json, whole_file, write_json
from darkroom.runtime.stage import missing_inputs

# In the environment of a worker: the folder for the reason why it stopped, and the process that started it.
_ERRORS, _LAUNCHER = "DARKROOM_WORKER_ERRORS", "DARKROOM_LAUNCHER"

# Processes that are killed are started again so often, where they lived less than so many seconds each time: then they miss
# something, such as memory. The count begins anew after a longer life.
RESTARTS, SHORT_LIFE = 3, 600

# From Linux's prctl.h.
_PR_SET_PDEATHSIG = 1


def run_in_processes(processes: int | str, work: Callable[[], None]) -> None:
    """Call `work` in this process, or in several that torchrun starts.

    Args:
        processes: as `train.processes`: a number, or `auto` for the number of GPUs, 1 where there is none.
        work: trains, and joins the others with `join_processes`. Each process runs the module that `python -m` began this one
            with, and so comes here again, with work of its own.

    When a process is killed, the others are ended and all start again, from the last checkpoint.

    Raises:
        DarkroomError: why a process stopped, once; the others are ended then.
    """
    if variable("RANK"):
        _work_and_report(work)
        return
    gpus = torch.cuda.device_count()
    count = max(1, gpus) if isinstance(processes, str) else processes
    if gpus and count > gpus:
        raise DarkroomError(
            f"train.processes is {count}, and there are {gpus} GPUs: set train.processes={gpus} or auto"
        )
    if count == 1:
        work()
    else:
        main = sys.modules["__main__"].__spec__
        assert main is not None, "several processes need a module that python -m can run"
        _launch_again(count, main.name)


def _launch_again(count: int, module: str) -> None:
    """Run a module in several processes, and again when one of them is killed.

    Not with torchrun's own restarts, which would also repeat a user's mistake.
    """
    restarts = 0
    while True:
        started = time.monotonic()
        killed = _launch(count, module)
        if killed is None:
            return
        restarts = 1 if time.monotonic() - started > SHORT_LIFE else restarts + 1
        if restarts > RESTARTS:
            raise DarkroomError(
                f"{killed}, {restarts} times in a row, usually because the memory is not enough: set a smaller "
                "train.batch_size or train.processes. `dvc repro` resumes from the last checkpoint"
            )
        print(f"train: {killed}; all start again from the last checkpoint ({restarts} of {RESTARTS})", flush=True)


def _launch(count: int, module: str) -> str | None:
    """Run a module in several processes, as `torchrun --standalone` does, and end them all when one stops.

    Returns:
        Which process was killed, as text; None after a whole training.
    """
    # Imported here, since one process needs none of it.
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="darkroom-train-") as folder:
        # The processes divide the cores. Each meets the others at a port of its own run: with torch 2.13 and the shared one,
        # those that are left after a kill wait for ever (pytorch #135712).
        if variable("OMP_NUM_THREADS") in (None, str(usable_cores())):
            os.environ["OMP_NUM_THREADS"] = str(max(1, usable_cores() // count))
        os.environ |= {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", _ERRORS: folder, _LAUNCHER: str(os.getpid())}
        config = LaunchConfig(
            1, 1, count, DefaultLogsSpecs(log_dir=folder), run_id=uuid4().hex, max_restarts=0, shutdown_timeout=5,
            rdzv_backend="c10d", rdzv_endpoint="localhost:0", local_addr="localhost",
        )  # fmt: skip
        try:
            elastic_launch(config, sys.executable)("-m", module)
            return None
        except ChildFailedError as error:
            exits = {rank: failure.exitcode for rank, failure in error.failures.items()}
            return _explain(Path(folder), exits, count)
        except SignalException as ended:
            raise SystemExit(128 + ended.sigval) from None


def _explain(folder: Path, exits: dict[int, int], count: int) -> str:
    """The first cause: a kill is returned, a user's mistake or a fault of ours raised. What the other processes met follows."""
    reports = sorted((read_json(path) for path in folder.glob("*.json")), key=lambda report: int(report["time"]))
    for report in reports:
        if report["mistake"]:
            raise DarkroomError(report["text"]) from None
    for rank, status in exits.items():
        if status < 0:
            return f"training process {rank + 1} of {count} was killed by {signal.Signals(-status).name}"
    if reports:
        print(reports[0]["text"], file=sys.stderr)
    print(f"a training process stopped with exit status {max(exits.values())}", file=sys.stderr)
    raise SystemExit(1)


def _work_and_report(work: Callable[[], None]) -> None:
    """As a worker: train, and leave a report for `_explain` when that fails."""
    folder = variable(_ERRORS)
    if folder is None:  # torchrun was typed by hand
        work()
        return
    _end_with_launcher()
    mistake = False
    try:
        with missing_inputs():
            work()
        return
    except DarkroomError as error:
        mistake, text = True, str(error)
    except Exception:
        text = traceback.format_exc()
    with whole_file(Path(folder) / f"{variable('RANK')}.json") as path:
        write_json(path, {"time": time.time_ns(), "mistake": mistake, "text": text})
    sys.stdout.flush()
    # Without the interpreter's clean-up, in which nccl would wait for the other processes.
    os._exit(1)


def _end_with_launcher() -> None:
    """Let Linux kill this worker when the process that started it is killed; torchrun gives each worker its own session."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if str(os.getppid()) != variable(_LAUNCHER):
            os._exit(1)
