"""The server that a run talks to is its own, also where another one took the port in the same second."""

import atexit
import http.server
import sys
import threading
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from flows import server
from flows.processes import end

# Stands in for Prefect's server: it answers everything, or ends when its port is taken.
ANSWERS = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A port at which the server of another clone answers."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", "unknown yet")
    monkeypatch.setattr(atexit, "register", lambda *_: None)
    monkeypatch.setattr(server, "_command", lambda port, schedules: [sys.executable, "-c", ANSWERS, str(port)])
    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    return int(other.server_address[1])


def test_a_server_whose_port_was_taken_meanwhile_takes_another(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_SERVER_API_PORT", raising=False)
    started: list[object] = []
    monkeypatch.setattr(atexit, "register", lambda _, child: started.append(child))
    server.start(taken, schedules=False)
    try:
        port = int(server.address().removeprefix("http://127.0.0.1:").removesuffix("/api"))
        assert port != taken and len(started) == 2
        assert server.listens(started[1], port) and not server.listens(started[1], taken)  # type: ignore[arg-type]
    finally:
        end(started[1])  # type: ignore[arg-type]


def test_a_port_that_was_asked_for_is_an_error_where_it_is_taken(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", str(taken))
    with pytest.raises(DarkroomError, match=rf"^port {taken} is taken \(PREFECT_SERVER_API_PORT\): name another"):
        server.start(taken, schedules=False)
