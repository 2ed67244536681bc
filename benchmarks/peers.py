"""The process in which a benchmark's peers run, with the Python of an environment that has them."""

import functools
import subprocess

from benchmarks.repository import ROOT
from benchmarks.rounds import Contestant


class Peers:
    """A context: the process starts with it and ends after it.

    Args:
        python: the interpreter of the environment.
        module: what it runs, such as `benchmarks.intake_peers`; it answers each line with a number of seconds.
        arguments: on its command line.

    Attributes:
        versions: of the peers, in words.
    """

    def __init__(self, python: str, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", module, *arguments],
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
        """One of the names that the module knows."""
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
