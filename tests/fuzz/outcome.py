"""What came of attempts: each is answered or refused with a reason; whatever else is raised is a fault."""

import hashlib
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.registry import detect_kind
from darkroom.sources.source import Location
from stages import ingest, survey

ROOM = 1 << 28


@dataclass
class Outcome:
    """Counts of attempts, and their faults in words with the number that repeats them.

    Attributes:
        answered, refused: attempts.
        faults: of each the attempt, and what was raised, lost or changed.
    """

    answered: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)

    def attempt(self, name: str, action: Callable[[], object], *reasons: type[Exception]) -> bool:
        """Do something; returns whether it was answered. `DarkroomError` and the `reasons` are refusals."""
        refusals: tuple[type[Exception], ...] = (DarkroomError, *reasons)
        try:
            action()
        except refusals as error:
            self.refused += 1
            if not str(error).strip():
                self.faults.append(f"{name}: refused without a reason")
            return False
        except Exception as error:
            trace, where = error.__traceback__, ""
            while trace:
                if "/darkroom/" in trace.tb_frame.f_code.co_filename or "/stages/" in trace.tb_frame.f_code.co_filename:
                    where = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
                trace = trace.tb_next
            self.faults.append(f"{name}: {type(error).__name__} at {where}: {str(error)[:150]}")
            return False
        self.answered += 1
        return True

    def require(self, name: str, holds: bool, fault: str) -> None:
        if not holds:
            self.faults.append(f"{name}: {fault}")


def hashes(source: Path) -> dict[str, str]:
    """SHA-256 of every file of a source."""
    files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def ingest_whole(source: Path, root: Path) -> tuple[int, int, int]:
    """Detect, survey and ingest a source in a fresh root; returns how many images, rejects and ignored files there are."""
    # Not needed to mutate anything, and it takes a while to import.
    import pyarrow.parquet as pq

    from darkroom.images.manifest import read_manifest

    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    kind, location = detect_kind(source), Location(source, None, ROOM)
    survey.run(source=kind, location=location, cache=root / "cache", out=root / "survey")
    ingest.run(
        source=kind, location=location, decoder="turbo", depth="auto", max_reject_fraction=1.0,
        survey=root / "survey", cache=root / "cache", out=root / "ingest",
    )  # fmt: skip
    tables = [pq.read_table(root / f"ingest/{name}.parquet") for name in ("rejects", "ignored")]
    return len(read_manifest(root / "ingest", ["id"])), len(tables[0]), len(tables[1])


def peak_memory() -> float:
    """The most memory that this process had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
