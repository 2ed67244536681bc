"""The log of a service that ends: with SIGTERM every answer is a row, with SIGKILL every row is whole."""

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from darkroom.monitoring.keyed import LogKey
from darkroom.monitoring.prediction_log import log_parts, read_prediction_log
from tests.conftest import ROOT
from tests.support.served import make_pictures
from tests.support.tiny_bundle import make_bundle

pytestmark = pytest.mark.slow
REQUESTS = 400


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_that_is_killed_leaves_whole_rows(tmp_path: Path, kill: signal.Signals) -> None:
    bundle, log = make_bundle(tmp_path / "bundle"), tmp_path / "log"
    pictures = [path.read_bytes() for path in make_pictures(tmp_path / "pictures")]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "serving",
        str(bundle),
        "--port",
        str(port),
        "--prediction-log",
        str(log),
        "--grace",
        "0",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    answered = []

    def ask(number: int) -> None:
        name = f"r-{number}"
        try:
            answer = httpx.post(
                f"{url}/v1/predict",
                content=pictures[number % len(pictures)],
                headers={"Content-Type": "image/png", "X-Request-ID": name},
                timeout=60,
            )
        except httpx.TransportError:  # it has ended
            return
        assert answer.status_code == 200
        answered.append(name)
        if len(answered) == REQUESTS // 2:
            process.send_signal(kill)

    try:
        _wait(process, url)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(ask, range(REQUESTS)))
        status = process.wait(60)
    finally:
        process.kill()
        process.wait()
    names = {LogKey(log).hash(name): name for name in (f"r-{number}" for number in range(REQUESTS))}
    rows = [names[each] for each in pa.concat_tables(read_prediction_log(log))["request"].to_pylist()]
    assert len(set(rows)) == len(rows) > 0
    if kill == signal.SIGTERM:
        assert status == 0 and set(answered) <= set(rows)
        assert {path.suffix for path in log_parts(log)} == {".parquet"}
    else:
        assert status == -signal.SIGKILL


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(600):
        assert process.poll() is None, "the service ended"
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the service did not start within a minute")
