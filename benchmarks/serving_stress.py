"""What the service does when it has too much to do, and while its model changes.

Measures the service alone:

1. Seconds from the start of the process to the first answer.
2. Two hundred connections for 20 s: which statuses came, memory above idle, the longest wait for `/healthz` (asked ten times
   a second), and the latency of 8 connections before and two seconds after.
3. Twenty changes of the model, a second apart, while 8 connections ask: failed requests, and the latency beside that of the
   same seconds without a change. Two runs each, in turns.

Everything runs on this machine, the clients too, and takes two minutes.

    python -m benchmarks.serving_stress models/export images.zip
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.http_load import Load, press, raw
from benchmarks.pictures import read_pictures
from benchmarks.rounds import print_table
from benchmarks.serving import FILES, Server, started

CLIENTS, CROWD = 8, 200
CROWD_SECONDS = 20
CHANGES = 20


def longest_wait(port: int, seconds: float) -> tuple[float, float]:
    """Median and longest milliseconds of `/healthz`, asked ten times a second."""
    waits = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30).read()
        waits.append(1000 * (time.perf_counter() - start))
        time.sleep(0.1)
    return statistics.median(waits), max(waits)


def switch(link: Path, folders: tuple[Path, Path], done: threading.Event) -> None:
    """Let the link lead to the one and the other folder, a second apart."""
    for number in range(CHANGES):
        following = link.with_name("next")
        following.symlink_to(folders[(number + 1) % 2])
        following.rename(link)
        if done.wait(1):
            return


def crowd(server: Server, port: int) -> None:
    """Print what 200 connections do to the service."""
    with started(server, port) as family:
        press(port, server.path, server.bodies, CLIENTS, 2)
        before = press(port, server.path, server.bodies, CLIENTS, 3)
        idle = family.memory_info().rss
        with ThreadPoolExecutor() as pool:
            waits = pool.submit(longest_wait, port, CROWD_SECONDS)
            load = press(port, server.path, server.bodies, CROWD, CROWD_SECONDS, statuses=True)
        grown = (family.memory_info().rss - idle) / 1e6
        time.sleep(2)
        after = press(port, server.path, server.bodies, CLIENTS, 3)
    median, longest = waits.result()
    counted = ", ".join(f"{count:,} x {status}" for status, count in sorted(load.statuses.items()))
    print(f"{CROWD} connections for {CROWD_SECONDS} s: {counted}; {load.broken} broken; memory {grown:+.0f} MB")
    print(f"/healthz meanwhile: median {median:.1f} ms, longest {longest:.1f} ms")
    print(f"p99 of {CLIENTS} connections: {before.p99:.1f} ms before, {after.p99:.1f} ms two seconds after\n")


def changes(bundle: Path, server: Server, port: int) -> None:
    """Print what changes of the model do to latency."""
    with tempfile.TemporaryDirectory() as name:
        folders = (Path(name) / "one", Path(name) / "two")
        for folder in folders:
            shutil.copytree(bundle, folder)
        link = Path(name) / "current"
        link.symlink_to(folders[0])
        following = Server([link.as_posix() if part == str(bundle) else part for part in server.command], server.path,
                           server.bodies, server.environment)  # fmt: skip
        rows: dict[str, list[Load]] = {"without": [], "with": []}
        with started(following, port):
            press(port, server.path, server.bodies, CLIENTS, 2)
            for kind in ("without", "with", "with", "without"):
                done = threading.Event()
                changer = threading.Thread(target=switch, args=(link, folders, done))
                if kind == "with":
                    changer.start()
                rows[kind].append(press(port, server.path, server.bodies, CLIENTS, CHANGES))
                done.set()
                if kind == "with":
                    changer.join()
    p99 = {kind: statistics.median(load.p99 for load in loads) for kind, loads in rows.items()}
    table = []
    for kind, loads in rows.items():
        rate, failed = statistics.median(load.rate for load in loads), sum(load.failed for load in loads)
        table.append((kind, f"{rate:,.0f}", f"{p99[kind]:.1f}", str(failed)))
    print_table((f"{CHANGES} changes", "img/s", "p99 ms", "failed"), table)
    print(f"p99 with changes: {p99['with'] / p99['without']:.2f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("images", type=Path, help="a zip or a folder")
    parser.add_argument("--port", type=int, default=8280)
    arguments = parser.parse_args()
    bodies = [raw(data) for _, data in read_pictures(arguments.images, FILES)]
    command = [sys.executable, "-m", "serving", str(arguments.bundle), "--port", "PORT", "--grace", "0"]
    server = Server(command, "/v1/predict", bodies, {})
    begin = time.perf_counter()
    with started(server, arguments.port):
        print(f"first answer after {time.perf_counter() - begin:.1f} s\n", flush=True)
    crowd(server, arguments.port + 1)
    changes(arguments.bundle, server, arguments.port + 2)


if __name__ == "__main__":
    main()
