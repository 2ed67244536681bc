"""A rollback sends its event without importing Prefect, in the form that Prefect's server takes."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from prefect.events.schemas.events import Event

from flows.events import send_to

pytestmark = pytest.mark.slow


class Server(HTTPServer):
    """Answers 204, and keeps what it was sent."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, str], Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, dict(self.headers), content))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def test_an_event_is_one_that_prefect_takes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "secret")
    send_to(f"http://127.0.0.1:{server.server_port}/api", "rolled-back", {"version": "v1.0.0"})
    ((path, headers, (content,)),) = server.received
    assert path == "/api/events" and headers["Authorization"] == "Bearer secret"
    event = Event.model_validate(content)
    assert event.event == "darkroom.model.rolled-back"
    assert event.resource.id == "darkroom.model.classifier" and event.payload == {"version": "v1.0.0"}


def test_a_rollback_imports_neither_prefect_nor_dvc() -> None:
    imported = "[name for name in ('prefect', 'dvc', 'torch', 'pandas') if name in sys.modules]"
    program = f"import sys, flows.rollback; print({imported})"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
