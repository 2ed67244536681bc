"""Answers a second over HTTP, beside FastAPI as everybody writes it, LitServe and BentoML, on the same graphs and files.

Measures, with 32 connections of wrk on this machine: answers a second, latency and memory (of all processes of a server,
shared pages counted once) of `python -m serving` and of its peers. Each server is started anew in every round, warmed for two
seconds, and stopped; rounds begin with another contestant each. Ceilings: an ASGI application that reads the body and answers
`{}`, and what decoding and predicting give without HTTP (`offline`), with as many threads. The peers take the form that their
own pages show: a form with a file, JSON with base64. wrk itself takes a part of one of the two cores, from all alike.

    python -m benchmarks.serving models/export images.zip --peer-python ../peers/bin/python
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import psutil

from benchmarks.http_load import Load, base64_json, multipart, press, raw
from benchmarks.pictures import read_pictures
from benchmarks.rounds import print_table
from darkroom.bundle.bundle import FLOAT_GRAPH, Bundle, load_bundle
from darkroom.runtime.threads import in_order

OURS, OURS_FORM, EMPTY, OFFLINE = "ours, raw body", "ours, form", "empty ASGI app", "offline"
NAIVE, NAIVE_SMALL, LITSERVE, BENTOML = "FastAPI, float", "FastAPI, the graph that ships", "LitServe", "BentoML"
CLIENTS = 32
WARM_SECONDS = 2
START_SECONDS = 60
# Of the files, as many as are sent in turns.
FILES = 500
OFFLINE_BATCH = 32
PEERS = Path(__file__).with_name("serving_peers.py")


@dataclass(frozen=True)
class Server:
    """A contestant.

    Attributes:
        command: that starts it; `PORT` stands for its port.
        path: of the address that answers.
        bodies: content type and body of each request.
        environment: variables beside those of this process.
    """

    command: Sequence[str]
    path: str
    bodies: Sequence[tuple[str, bytes]]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Figures:
    """Of one round: what wrk found, and MB of memory at the end."""

    load: Load
    memory: float


def servers(bundle: Path, graphs: tuple[Path, Path], files: list[bytes], peer: str) -> dict[str, Server]:
    """The contestants by name.

    Args:
        bundle: that is served.
        graphs: the float graph, and the one that ships.
        files: images.
        peer: the Python that has the peers.
    """
    forms = [multipart(data, "file") for data in files]
    float_graph, ships = map(str, graphs)
    bento = {"GRAPH": ships, "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": str(PEERS.parent)}
    quiet = {"ORT_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    own = [sys.executable, "-m", "serving", str(bundle), "--port", "PORT"]
    found = {
        OURS: Server(own, "/v1/predict", [raw(data) for data in files], quiet),
        OURS_FORM: Server(own, "/v1/predict", forms, quiet),
        NAIVE: Server([peer, str(PEERS), "fastapi", float_graph, "PORT"], "/predict", forms, quiet),
    }
    if ships != float_graph:
        found[NAIVE_SMALL] = Server([peer, str(PEERS), "fastapi", ships, "PORT"], "/predict", forms, quiet)
    json_bodies = [base64_json(data, "image") for data in files]
    found[LITSERVE] = Server([peer, str(PEERS), "litserve", ships, "PORT"], "/predict", json_bodies, quiet)
    images = [multipart(data, "image") for data in files]
    command = [str(Path(peer).parent / "bentoml"), "serve", "serving_peers:BENTO", "--port", "PORT"]
    found[BENTOML] = Server(command, "/classify", images, quiet | bento)
    empty = [peer, str(PEERS), "empty", "none", "PORT"]
    return found | {EMPTY: Server(empty, "/", [raw(data) for data in files], quiet)}


@contextlib.contextmanager
def started(server: Server, port: int) -> Iterator[psutil.Process]:
    """The server while it runs; it is killed with all its processes afterwards."""
    command = [str(port) if part == "PORT" else part for part in server.command]
    environment = os.environ | server.environment
    with (
        tempfile.TemporaryFile() as printed,
        subprocess.Popen(command, env=environment, stdout=printed, stderr=printed, start_new_session=True) as process,
    ):
        family = psutil.Process(process.pid)
        try:
            if not _answers(server, port, process):
                printed.seek(0)
                raise SystemExit(f"error: {' '.join(command)} does not answer:\n{printed.read().decode()[-2000:]}")
            yield family
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in [*family.children(recursive=True), family]:
                    each.kill()


def _answers(server: Server, port: int, process: "subprocess.Popen[bytes]") -> bool:
    """Wait for the first answer; whether it came."""
    kind, body = server.bodies[0]
    request = urllib.request.Request(f"http://127.0.0.1:{port}{server.path}", body, {"Content-Type": kind})
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return bool(urllib.request.urlopen(request, timeout=10).read())
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise SystemExit(f"error: {' '.join(server.command)}: {error.code}, {error.read()[:500]!r}") from None
        except OSError:
            time.sleep(0.1)
    return False


def run_once(server: Server, port: int, seconds: float) -> Figures:
    """Start, warm up, measure, stop."""
    with started(server, port) as family:
        press(port, server.path, server.bodies, CLIENTS, WARM_SECONDS)
        load = press(port, server.path, server.bodies, CLIENTS, seconds)
        members = [family, *family.children(recursive=True)]
        return Figures(load, sum(each.memory_full_info().pss for each in members) / 1e6)


def offline(bundle: Bundle, files: list[bytes], seconds: float) -> float:
    """Images a second that threads decode and the graph predicts, without HTTP."""
    images, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        decoded = in_order(bundle.pixels, files)
        while few := list(islice(decoded, OFFLINE_BATCH)):
            bundle.predict(np.stack(few))
            images += len(few)
    return images / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("images", type=Path, help="a zip or a folder")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--port", type=int, default=8240)
    parser.add_argument("--only", nargs="*", help="contestants whose name begins so")
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    files = [data for _, data in read_pictures(arguments.images, FILES)]
    graphs = arguments.bundle / FLOAT_GRAPH, arguments.bundle / bundle.graph
    contestants = servers(arguments.bundle, graphs, files, arguments.peer_python)
    if arguments.only:
        contestants = {name: each for name, each in contestants.items() if name.startswith(tuple(arguments.only))}
    found: dict[str, list[Figures]] = {name: [] for name in contestants}
    rates = []
    names = list(contestants)
    for number in range(arguments.rounds):
        turn = number % len(names)
        for place, name in enumerate(names[turn:] + names[:turn]):
            # A port of its own each time, since a closed one is not free at once.
            port = arguments.port + (number * len(names) + place) % 16
            found[name].append(run_once(contestants[name], port, arguments.seconds))
        rates.append(offline(bundle, files, arguments.seconds / 2))
    print_figures(found, statistics.median(rates))


def print_figures(found: Mapping[str, Sequence[Figures]], offline_rate: float) -> None:
    """A row for each contestant, medians of the rounds."""
    rate = {name: statistics.median(each.load.rate for each in rounds) for name, rounds in found.items()}
    p99 = {name: statistics.median(each.load.p99 for each in rounds) for name, rounds in found.items()}
    rows = []
    for name, rounds in found.items():
        p50, memory = (
            statistics.median(values) for values in zip(*((each.load.p50, each.memory) for each in rounds), strict=True)
        )
        beside = f"{rate[OURS] / rate[name]:.2f}x" if OURS in rate and name not in (OURS, EMPTY) else ""
        tail = f"{p99[OURS] / p99[name]:.2f}x" if OURS in rate and name not in (OURS, EMPTY) else ""
        spread = f"{min(each.load.rate for each in rounds):,.0f} to {max(each.load.rate for each in rounds):,.0f}"
        failed = str(sum(each.load.failed for each in rounds))
        rows.append(
            (
                name,
                f"{rate[name]:,.0f}",
                spread,
                beside,
                f"{p50:.1f}",
                f"{p99[name]:.1f}",
                tail,
                f"{memory:,.0f}",
                failed,
            )
        )
    beside = f"{rate[OURS] / offline_rate:.0%} of it" if OURS in rate else ""
    rows.append((OFFLINE, f"{offline_rate:,.0f}", "", beside, "", "", "", "", ""))
    print_table(("", "img/s", "over the rounds", "ours is", "p50 ms", "p99 ms", "ours is", "MB", "failed"), rows)


if __name__ == "__main__":
    main()
