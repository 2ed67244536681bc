"""The service as a process, as a user starts it, and clients that ask it over sockets."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT


@dataclass
class Running:
    """A service that answers.

    Attributes:
        process: of the service.
        port: at which it listens, of 127.0.0.1.
        hello: what it printed.
    """

    process: "subprocess.Popen[str]"
    port: int
    hello: str

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def get(self, path: str) -> int:
        """The status of an address, over a connection of its own."""
        connection = self.connect()
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status

    def memory(self) -> int:
        """Bytes that it holds of memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    def peak(self) -> int:
        """Bytes that it held of memory at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


def ask(connection: http.client.HTTPConnection, image: bytes) -> tuple[int, Any]:
    """Status and content of the answer for one image."""
    connection.request("POST", "/v1/predict", image, {"Content-Type": "application/octet-stream"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


@contextmanager
def running(
    bundle: Path,
    *options: str,
    python: str = sys.executable,
    before: list[str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Running]:
    """Start the service at a free port, and end it when the block ends.

    Args:
        bundle: to serve.
        options: of its command.
        python: the interpreter.
        before: what runs the interpreter, such as a tracer.
        environment: of the process.
    """
    process = subprocess.Popen(
        [*(before or []), python, "-m", "serving", str(bundle), "--port=0", *options],
        cwd=ROOT,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        lines = [process.stdout.readline() for _ in range(4)]
        found = re.search(r":(\d+)$", lines[0].strip())
        assert found, "".join(lines)
        yield Running(process, int(found[1]), "".join(lines))
    finally:
        if process.poll() is None:
            # A tracer that is ended leaves what it traces stopped; it ends with it.
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split() if before else []
            os.kill(int(children[0]) if children else process.pid, signal.SIGTERM)
        process.wait()
        process.stdout.close()
