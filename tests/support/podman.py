"""Images and containers for tests, by podman; set up for machines without systemd, and within machines that are containers."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT

TOOLS = {"podman": "podman", "buildah": "buildah", "runc": "runc", "mmdebstrap": "mmdebstrap"}
BASES = ("darkroom-base", "darkroom-build")
# runc, since crun refuses control groups of both versions at once; the host's network, which needs no firewall tool.
CONFIGURATION = """
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1000:1000"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""
# As production runs it; podman's own small file systems in memory are off, so that nothing at all can be written.
HARDENED = (
    "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges", "--memory=512m",
)  # fmt: skip
START_SECONDS = 60


class Podman:
    """The command, with a configuration of its own.

    Args:
        folder: for the configuration.
    """

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("containers are tested as root, as on CI")
        if missing := [package for tool, package in TOOLS.items() if not shutil.which(tool)]:
            pytest.skip(f"not installed: apt-get install {' '.join(missing)}")
        path = folder / "containers.conf"
        path.write_text(CONFIGURATION)
        # Within a container there are no rights to isolate a build any further.
        self.environment = {**os.environ, "CONTAINERS_CONF": str(path), "BUILDAH_ISOLATION": "chroot"}

    def __call__(self, *arguments: str | Path, check: bool = True) -> str:
        """Run `podman` with arguments; returns what it printed.

        Raises:
            AssertionError: when it fails, with what it said.
        """
        found = subprocess.run(["podman", *arguments], capture_output=True, text=True, env=self.environment)
        assert not check or found.returncode == 0, found.stdout + found.stderr
        return found.stdout.strip()

    def base(self) -> None:
        """Make the base images, unless this machine has them."""
        if all(subprocess.run(["podman", "image", "exists", name]).returncode == 0 for name in BASES):
            return
        found = subprocess.run([ROOT / "deploy/base.sh"], capture_output=True, text=True, env=self.environment)
        assert found.returncode == 0, found.stdout + found.stderr

    @contextlib.contextmanager
    def container(self, image: str, *options: str | Path, arguments: tuple[str, ...] = ()) -> Iterator["Container"]:
        """A container that listens on a free port of this machine; it is removed afterwards, whatever happened.

        Args:
            image: to run.
            options: of `podman run`.
            arguments: of the service.
        """
        name, port = f"darkroom-test-{uuid.uuid4().hex[:8]}", free_port()
        variables = ("--env", "DARKROOM_HOST=127.0.0.1", "--env", f"DARKROOM_PORT={port}")
        try:
            self("run", "--detach", "--name", name, *variables, *options, image, *arguments)
            yield Container(self, name, port)
        finally:
            self("rm", "--force", "--time", "0", name, check=False)


class Container:
    """A running container.

    Attributes:
        name: of the container.
        url: of the service in it.
    """

    def __init__(self, podman: Podman, name: str, port: int) -> None:
        self._podman, self.name, self.url = podman, name, f"http://127.0.0.1:{port}"

    def wait_ready(self) -> None:
        """Wait until it answers at `/readyz`.

        Raises:
            AssertionError: when it ends before, with its log.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.state("Running") == "true":
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"it did not get ready: {self.log()}")

    def state(self, name: str) -> str:
        """A value of its state: `Running`, `Pid`, `ExitCode`."""
        return self._podman("inspect", "--format", f"{{{{.State.{name}}}}}", self.name)

    def process(self, file: str) -> str:
        """A file about its first process, as this machine sees it: `status`, `net/snmp`."""
        return Path("/proc", self.state("Pid"), file).read_text()

    def log(self) -> str:
        """What it wrote to standard output and standard error."""
        found = subprocess.run(["podman", "logs", self.name], capture_output=True, text=True)
        return found.stdout + found.stderr


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
