"""The service listens where it should, says in words why it can't, and starts from its own lock alone, quietly."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from darkroom.runtime.errors import DarkroomError
from serving.server import listen
from tests.conftest import ROOT
from tests.contracts.test_quiet import LOOK_UPS
from tests.support.pictures import colour, encoded
from tests.support.running import ask, running
from tests.support.tiny_bundle import make_bundle


def test_a_port_that_is_taken_is_named_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DarkroomError) as caught:
            listen("127.0.0.1", port)
    assert str(caught.value) == (
        f"port {port} of 127.0.0.1 is taken by another program: end that one, or take another port with --port"
    )


def test_a_host_of_another_machine_is_refused() -> None:
    with pytest.raises(DarkroomError, match=r"--host is 192\.0\.2\.1, which is no address of this machine"):
        listen("192.0.2.1", 0)
    with pytest.raises(DarkroomError, match=r"--host is nowhere\.invalid, which has no address"):
        listen("nowhere.invalid", 0)
    with pytest.raises(DarkroomError, match=r"--host is a\.\.b, which has no address \(it is no name\)"):
        listen("a..b", 0)


def test_localhost_is_listened_at_by_every_address_and_one_port() -> None:
    sockets = listen("localhost", 0)
    assert len({each.getsockname()[1] for each in sockets}) == 1
    assert "127.0.0.1" in {each.getsockname()[0] for each in sockets}
    for each in sockets:
        each.close()


def test_connections_that_come_at_once_are_taken_in_few_turns() -> None:
    taken, turn = list[int](), 0

    class Taken(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            taken.append(turn)
            transport.close()

    async def take() -> None:
        nonlocal turn
        loop = asyncio.get_running_loop()
        for each in sockets:
            await loop.create_server(Taken, sock=each)
        while len(taken) < len(clients):
            turn += 1
            await asyncio.sleep(0)

    sockets = listen("127.0.0.1", 0)
    clients = [socket.create_connection(sockets[0].getsockname()) for _ in range(200)]
    with ThreadPoolExecutor(1) as thread:
        thread.submit(uvloop.run, take()).result(timeout=60)
    for each in (*clients, *sockets):
        each.close()
    assert max(taken) - min(taken) < 20


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_can_be_ended_before_it_answers(number: int, status: int, tmp_path: Path) -> None:
    # It waits for keys, and so has not begun to answer.
    os.mkfifo(tmp_path / "keys.json")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "serving", str(make_bundle(tmp_path / "bundle")), f"--port={port}"]
    process = subprocess.Popen(
        [*command, f"--api-keys={tmp_path / 'keys.json'}"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.05)
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == status


@pytest.mark.slow
def test_nothing_is_looked_up_and_nothing_written(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("there is no strace on this machine")
    home, calls = tmp_path / "home", tmp_path / "calls"
    home.mkdir()
    # With CI=true onnxruntime reports nothing whatever is set.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CI", "ORT_DISABLE_TELEMETRY") and not name.startswith("XDG_")
    } | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    written = ["-e", "trace=openat,connect", "-o", str(calls)]
    with running(make_bundle(tmp_path / "bundle"), before=[strace, "-f", *written], environment=environment) as service:
        assert ask(service.connect(), encoded(colour(), "PNG"))[0] == 200
        assert service.get("/") == service.get("/docs") == service.get("/v1/model") == 200
    text = calls.read_text()
    assert "bundle/model.onnx" in text
    assert LOOK_UPS.findall(text) == []
    assert list(home.rglob("*")) == []
    assert [line for line in text.splitlines() if "O_WRONLY" in line or "O_RDWR" in line if "/dev/" not in line] == []


@pytest.mark.slow
def test_it_runs_from_its_own_lock_alone(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv/bin/python")
    lock = str(ROOT / "requirements-serve.txt")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", lock], check=True)
    with running(make_bundle(tmp_path / "bundle"), python=python) as service:
        for form in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF"):
            assert ask(service.connect(), encoded(colour(), form))[0] == 200
        connection = service.connect()
        connection.request("POST", "/v1/explain", encoded(colour(), "PNG"), {"Content-Type": "image/png"})
        assert connection.getresponse().read()[:4] == b"\x89PNG"
        assert service.get("/") == service.get("/metrics") == 200
