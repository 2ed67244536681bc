"""Where the ranges of a stage are worked on: by this process, or by the workers of a Dask or Ray cluster.

`DARKROOM_EXECUTOR` chooses, `DARKROOM_WORKERS` says how many, and no setting does: where something was computed makes no result
stale.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from darkroom.runtime.cores import usable_cores
from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError

Task = TypeVar("Task")
Receipt = TypeVar("Receipt")

VARIABLE, WORKERS = "DARKROOM_EXECUTOR", "DARKROOM_WORKERS"
# How often a task starts again after its worker was killed.
RETRIES = 3


def map_ranges(work: Callable[[Task], Receipt], tasks: Sequence[Task]) -> Iterator[Receipt]:
    """What `work` returns for each task, in the order of the tasks.

    `threads`, the default, works on one task after another in this process; the work itself uses all cores, or as many threads
    as `DARKROOM_WORKERS` says. `dask` takes the cluster that Dask's own configuration names (`DASK_SCHEDULER_ADDRESS`), or
    starts one on this machine, with as many processes; `ray` that of `RAY_ADDRESS`, or starts one. A worker that is killed
    costs its task, which another one does again. Workers of a Dask cluster that is there are started again
    first, since they have imported the code of before.

    Args:
        work: a function of a module. It may run twice for one task, so it writes whole files.
        tasks: that name files by paths which every worker has, and hold no pixels; both ways they are pickled.

    Raises:
        DarkroomError: when a variable has no such value, or a package is not installed.
    """
    name = _executor()
    worker_count()
    if not tasks:
        return iter(())
    return EXECUTORS[name](work, tasks)


def _executor() -> str:
    name = variable(VARIABLE) or "threads"
    if name not in EXECUTORS:
        raise DarkroomError(f"{VARIABLE}={name}: there are {', '.join(EXECUTORS)}")
    return name


def worker_count() -> int | None:
    """How many workers the user asks for; None where that is left to the executor.

    Raises:
        DarkroomError: when the variable is no number from 1 on.
    """
    text = variable(WORKERS)
    if text is None:
        return None
    if not text.strip().isdecimal() or not int(text):
        raise DarkroomError(f"{WORKERS}={text}: should be a number of workers from 1 on, or not be set")
    return int(text)


def own_threads() -> int:
    """The threads that the work on images takes in this process: as many as the user asks for, else one for each core.

    Processes of Dask and Ray, which inherit the variable, take one for each core.
    """
    return (worker_count() if _executor() == "threads" else None) or usable_cores()


def _here(work: Callable[[Task], Receipt], tasks: Sequence[Task]) -> Iterator[Receipt]:
    yield from map(work, tasks)


def _with_dask(work: Callable[[Task], Receipt], tasks: Sequence[Task]) -> Iterator[Receipt]:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise _missing("dask") from None
    # No dashboard: it would listen on a port that nobody asked for. Of a cluster that is there the workers are as they are.
    there = variable("DASK_SCHEDULER_ADDRESS")
    own = {} if there else {"dashboard_address": None, "n_workers": worker_count(), "threads_per_worker": 1}
    with Client(set_as_default=False, **own) as client:
        if there:
            # They imported the code as it was when they started.
            client.restart()
        futures = client.map(work, tasks, pure=False, retries=RETRIES)
        for future in futures:
            yield future.result()


def _with_ray(work: Callable[[Task], Receipt], tasks: Sequence[Task]) -> Iterator[Receipt]:
    try:
        import ray
    except ModuleNotFoundError:
        raise _missing("ray") from None
    own = {} if variable("RAY_ADDRESS") else {"include_dashboard": False, "num_cpus": worker_count()}
    ray.init(ignore_reinit_error=True, log_to_driver=False, logging_level="warning", **own)
    try:
        remote = ray.remote(max_retries=RETRIES)(work)
        for reference in [remote.remote(task) for task in tasks]:
            yield ray.get(reference)
    finally:
        ray.shutdown()


def _missing(name: str) -> DarkroomError:
    return DarkroomError(
        f"{VARIABLE}={name} needs packages that are not installed: .venv/bin/python -m pip install -r requirements-{name}.txt"
    )


EXECUTORS: dict[str, Callable[..., Iterator[Any]]] = {"threads": _here, "dask": _with_dask, "ray": _with_ray}
