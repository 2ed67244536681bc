"""Load on a server, by wrk: requests that were built before, and what came back."""

import base64
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BOUNDARY = "darkroom"

# wrk's scripts are Lua. All requests are built before the first is sent, so that building them costs no time. Files are closed
# at once, since wrk opens no connection whose number is above some hundred.
SCRIPT = """
local requests, place = {}, 0
init = function(arguments)
  for line in io.lines(arguments[1]) do
    local file = io.open(line, "rb")
    local body = file:read("*a")
    file:close()
    requests[#requests + 1] = wrk.format("POST", arguments[2], {["Content-Type"] = arguments[3]}, body)
  end
end
request = function()
  place = place % #requests + 1
  return requests[place]
end
local counted = {}
setup = function(thread) threads = {thread} end
if WATCHED then
  statuses = ""
  response = function(status)
    counted[status] = (counted[status] or 0) + 1
    local parts = {}
    for each, count in pairs(counted) do parts[#parts + 1] = '"' .. each .. '": ' .. count end
    statuses = table.concat(parts, ", ")
  end
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"seconds": %f, "requests": %d, "not_200": %d, "broken": %d, "p50": %f, "p99": %f, "statuses": {%s}}',
    summary.duration / 1e6, summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, threads[1]:get("statuses") or ""))
end
"""


@dataclass(frozen=True)
class Load:
    """What a server did under load.

    Attributes:
        rate: answers a second.
        p50, p99: milliseconds from request to answer.
        failed: answers other than 200 to 399, and connections that broke.
        broken: connections alone.
        statuses: how often each came, where that was asked for.
    """

    rate: float
    p50: float
    p99: float
    failed: int
    broken: int
    statuses: dict[str, int]


def raw(data: bytes) -> tuple[str, bytes]:
    """Content type and body of an image that is the body."""
    return "image/png" if data[:4] == b"\x89PNG" else "image/jpeg", data


def multipart(data: bytes, field: str) -> tuple[str, bytes]:
    """Content type and body of a form with one file."""
    lines = [
        f"--{BOUNDARY}",
        f'Content-Disposition: form-data; name="{field}"; filename="image"',
        f"Content-Type: {raw(data)[0]}",
    ]
    head = "\r\n".join([*lines, "", ""]).encode()
    return f"multipart/form-data; boundary={BOUNDARY}", head + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def base64_json(data: bytes, field: str) -> tuple[str, bytes]:
    """Content type and body of a JSON object with the image in base64."""
    return "application/json", json.dumps({field: base64.b64encode(data).decode()}).encode()


def press(
    port: int, path: str, bodies: Sequence[tuple[str, bytes]], clients: int, seconds: float, statuses: bool = False
) -> Load:
    """Send requests over so many connections, each as soon as it has its answer.

    Args:
        port: on this machine.
        path: of the address.
        bodies: content type and body of each request, sent in turns; all of one content type.
        clients: connections.
        seconds: for which to send.
        statuses: count each status, which costs wrk some time.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"{number}" for number in range(len(bodies))]
        for file, (_, body) in zip(files, bodies, strict=True):
            file.write_bytes(body)
        (folder / "script.lua").write_text(SCRIPT.replace("WATCHED", str(statuses).lower()), encoding="utf-8")
        (folder / "list").write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
        command = [
            "wrk",
            "-t1",
            f"-c{clients}",
            f"-d{seconds:.0f}s",
            "--timeout",
            "30s",
            "-s",
            str(folder / "script.lua"),
        ]
        command += [f"http://127.0.0.1:{port}", str(folder / "list"), path, bodies[0][0]]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(printed[printed.rindex('{"seconds"') :])
    rate = (found["requests"] - found["not_200"]) / found["seconds"]
    broken = found["broken"]
    return Load(rate, found["p50"], found["p99"], found["not_200"] + broken, broken, found["statuses"])
