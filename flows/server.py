"""A Prefect server of the project's own, for as long as a command runs: SQLite in `.darkroom/prefect`, nothing phones home.

Prefect starts a temporary server by itself, but that one writes the user's `~/.prefect`, has no schedules, gives up after
20 seconds on a busy machine, and prints tracebacks when it ends during a write. This one logs to a file and ends last.
"""

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

from darkroom.runtime.environment import forget_empty, set_default, variable
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.lock import holder
from flows.processes import end

HOME = Path(".darkroom/prefect")
USUAL_PORT = 4200
# Held by the schedule of this folder; and where its server is, while it is held.
SCHEDULE_LOCK = Path(".darkroom/schedule/lock")
SCHEDULE_ADDRESS = SCHEDULE_LOCK.with_name("address")
# Also where the machine reaches the world through a proxy.
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def settle() -> int | None:
    """Decide which server Prefect talks to, in the environment of this process and its children.

    Call this before `prefect` is imported: it reads its settings when it is. `PREFECT_API_URL`, `PREFECT_HOME` and
    `PREFECT_SERVER_API_PORT` are respected.

    Returns:
        The port on which `start` must start a server, or None where there is one: `PREFECT_API_URL` names it, or a schedule is
        at work in this folder.

    Raises:
        DarkroomError: when the port that was asked for is taken.
    """
    # Prefect takes an empty address for one, too, and starts a temporary server without schedules.
    forget_empty("PREFECT_")
    # The one in memory is lost with a killed server, which then ends the runs that had a place in a deployment's limit.
    set_default("PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", "prefect.server.concurrency.lease_storage.filesystem")
    if variable("PREFECT_API_URL"):
        return None
    home = set_default("PREFECT_HOME", str(HOME.resolve()))
    Path(home).mkdir(parents=True, exist_ok=True)
    _never_through_a_proxy("127.0.0.1")
    if there := running():
        os.environ["PREFECT_API_URL"] = there
        return None
    port = _free_port(variable("PREFECT_SERVER_API_PORT"))
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    return port


def running() -> str | None:
    """The address of the server that `PREFECT_API_URL` names, else of the schedule's at work in this folder; or None."""
    if named := variable("PREFECT_API_URL"):
        return named
    if holder(SCHEDULE_LOCK) is None or not SCHEDULE_ADDRESS.exists():
        return None
    there = SCHEDULE_ADDRESS.read_text(encoding="utf-8")
    return there if is_healthy(there) else None


def address() -> str:
    """Of the server that Prefect talks to; known after `settle`."""
    return variable("PREFECT_API_URL") or ""


def require(address: str) -> None:
    """Fail before the work starts when the server that `PREFECT_API_URL` names does not answer.

    Raises:
        DarkroomError: with its address and what went wrong.
    """
    from prefect import get_client

    with get_client(sync_client=True) as client:
        if problem := client.api_healthcheck():
            raise DarkroomError(
                f"no Prefect server answers at {address} (PREFECT_API_URL): {problem}; "
                "start it, or unset PREFECT_API_URL and one starts here"
            )


def _never_through_a_proxy(host: str) -> None:
    """Where the machine reaches the world through a proxy, our own server is still asked directly."""
    without = variable("no_proxy") or variable("NO_PROXY")
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = f"{without},{host}" if without else host


def start(
    port: int, schedules: bool, patience: float = 120, meanwhile: Callable[[], object] = lambda: None
) -> "subprocess.Popen[bytes]":
    """Start a server that ends when this process does, after everything that still has something to write.

    Two that start in the same second, in two clones, find the same port free: the one that comes second takes another, unless
    it was asked for, and `PREFECT_API_URL` is its own.

    Args:
        port: from `settle`.
        schedules: whether it also plans scheduled runs.
        patience: seconds that it may take to answer.
        meanwhile: what there is to do until it answers.

    Returns:
        Its process; its address is `address()` from now on.

    Raises:
        DarkroomError: with the end of the server's log, when it does not answer; when another one has the port asked for.
    """
    while True:
        server = launch(port, schedules)
        meanwhile()
        if _comes_up(server, port, patience):
            return server
        end(server)
        port = another_port()


def launch(port: int, schedules: bool) -> "subprocess.Popen[bytes]":
    """Start a server, and don't wait until it answers; it ends when this process does.

    Args:
        port: of its own.
        schedules: whether it also plans scheduled runs.

    Returns:
        Its process; its address is `address()` from now on.
    """
    log = _log()
    if log.exists():
        # It may say why the one before ended.
        log.replace(log.with_name("server-before.log"))
    with log.open("wb") as output:
        server = subprocess.Popen(
            _command(port, schedules), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    # Threads that still send logs and states finish before functions registered here are called. The one before has ended.
    atexit.unregister(end)
    atexit.register(end, server)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    return server


def last_lines() -> str:
    """The end of what the server printed, in words."""
    lines = _log().read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    return "\n".join([f"the end of {_log()}:", *lines])


def _log() -> Path:
    return Path(variable("PREFECT_HOME") or HOME) / "server.log"


def _command(port: int, schedules: bool) -> list[str]:
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return command if schedules else [*command, "--no-services"]


def _comes_up(server: "subprocess.Popen[bytes]", port: int, patience: float) -> bool:
    """Wait until the server answers; False where another one has its port."""
    latest = time.monotonic() + patience
    while not is_healthy(f"http://127.0.0.1:{port}/api"):
        if server.poll() is not None and not is_free(port):
            return False
        if server.poll() is not None or time.monotonic() > latest:
            end(server)
            raise DarkroomError(
                f"the Prefect server did not come up on port {port} within {patience:.0f} s; {last_lines()}"
            )
        time.sleep(0.1)
    return listens(server, port)


def listens(server: "subprocess.Popen[bytes]", port: int) -> bool:
    """Whether a server, or what it started, is who listens at a port."""
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(server.pid)
        return any(
            found.status == psutil.CONN_LISTEN and found.laddr.port == port
            for process in (leader, *leader.children(recursive=True))
            for found in process.net_connections("tcp")
        )
    return False


def is_healthy(address: str) -> bool:
    """Whether a server answers that it is well, within five seconds."""
    with contextlib.suppress(OSError), _DIRECTLY.open(f"{address}/health", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def is_free(port: int) -> int | None:
    """The port, or any for 0; None where it is taken."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as probe:
        return int(probe.getsockname()[1])
    return None


def another_port() -> int:
    """A free port in the place of one that another program has taken.

    Raises:
        DarkroomError: when that was the one asked for.
    """
    return _free_port(variable("PREFECT_SERVER_API_PORT"), usual=0)


def _free_port(wanted: str | None, usual: int = USUAL_PORT) -> int:
    """The port that was asked for; else the usual one, or any other where that is taken."""
    if wanted and not (wanted.isdecimal() and 0 < int(wanted) < 65536):
        raise DarkroomError(f"PREFECT_SERVER_API_PORT is {wanted!r}, should be the number of a free port")
    for port in (int(wanted),) if wanted else (usual, 0):
        if free := is_free(port):
            return free
    raise DarkroomError(
        f"port {wanted} is taken (PREFECT_SERVER_API_PORT): name another, or set PREFECT_API_URL if it is your Prefect server"
    )
