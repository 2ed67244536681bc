"""What `benchmarks.intake` stands beside, in a process of its own: the peers may live in an environment of their own.

Reads from stdin a contestant a line, runs it once over the files of the folder, and answers with the seconds it took; so
neither its start nor its imports count. It imports nothing of Darkroom.
"""

import hashlib
import importlib
import sys
import time
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

THREE_PASSES = "imagehash dhash, Image.verify, md5: one thread"
CLEANVISION = "cleanvision, default processes"
CLEANVISION_ONE = "cleanvision, one process"


def three_passes(files: list[Path], imagehash: Any, image: Any) -> None:
    """The checks that people write themselves, one after the other."""
    for file in files:
        with image.open(file) as opened:
            imagehash.dhash(opened)
    for file in files:
        with image.open(file) as opened:
            opened.verify()
    for file in files:
        hashlib.md5(file.read_bytes()).hexdigest()


def cleanvision(folder: Path, imagelab: Any, jobs: int | None) -> None:
    """All default checks: exact and near-duplicates by hash, blur, darkness, sizes and others."""
    imagelab(data_path=str(folder), verbose=False).find_issues(n_jobs=jobs, verbose=False)


def main() -> None:
    folder = Path(sys.argv[1])
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    # By name, since the project itself neither needs nor checks these packages.
    imagehash, image = importlib.import_module("imagehash"), importlib.import_module("PIL.Image")
    imagelab = importlib.import_module("cleanvision").Imagelab
    print(", ".join(f"{name} {version(name)}" for name in ("cleanvision", "imagehash", "pillow")), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        with redirect_stdout(sys.stderr):
            match line.strip():
                case name if name == THREE_PASSES:
                    three_passes(files, imagehash, image)
                case name if name == CLEANVISION:
                    cleanvision(folder, imagelab, None)
                case name if name == CLEANVISION_ONE:
                    cleanvision(folder, imagelab, 1)
                case name:
                    raise SystemExit(f"error: there is no contestant {name!r}")
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
