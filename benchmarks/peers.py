"""The process in which `benchmarks.intake_peers` runs the peers of `benchmarks.intake`."""

import functools
import subprocess
from pathlib import Path

from benchmarks.repository import ROOT
from benchmarks.rounds import Contestant


class Peers:
    """A context: the process starts with it and ends after it.

    Attributes:
        versions: of the peers, in words.
    """

    def __init__(self, python: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.intake_peers", str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.versions = self._answer()

    def __enter__(self) -> "Peers":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def contestant(self, name: str) -> Contestant:
        """One of the names in `benchmarks.intake_peers`."""
        return functools.partial(self._ask, name)

    def _ask(self, name: str) -> float:
        assert self._process.stdin
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit(
                "error: the process with the peers ended; --peer-python must have what benchmarks/requirements.txt names "
                "(docs/benchmarks.md says how)"
            )
        return line
