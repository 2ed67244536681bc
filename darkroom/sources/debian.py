"""Fashion-MNIST as Debian packs it, for networks that reach Debian's mirrors and not torchvision's."""

import struct
import subprocess
import tempfile
from pathlib import Path

DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("usr/share/datasets/fashion-mnist")

# Debian packs the files anew without the name and the time that gzip stores, and leaves the compressed stream as it was. With
# both put back its files are, byte for byte, those that torchvision's checksums know. These are the times (Unix seconds).
GZIP_TIMES = {"train": 1504176606, "t10k": 1504176627}


def fetch_from_debian(raw: Path) -> None:
    """Copy the four .gz files of Debian's package, installed or fetched without root, to `raw`, as they were published.

    Raises:
        OSError: when the package is not installed and can't be fetched.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source = Path("/") / DEBIAN_FOLDER
        if not source.exists():
            try:
                _unpack_package(Path(scratch))
            except (subprocess.SubprocessError, StopIteration) as error:
                raise OSError(str(error)) from None
            source = Path(scratch) / DEBIAN_FOLDER
        raw.mkdir(parents=True, exist_ok=True)
        for file in sorted(source.glob("*.gz")):
            (raw / file.name).write_bytes(_with_gzip_header(file.name, file.read_bytes()))


def _with_gzip_header(name: str, packed: bytes) -> bytes:
    """A gzip file whose ten-byte header (RFC 1952) gets back the original's time and name."""
    time = struct.pack("<I", GZIP_TIMES[name.split("-")[0]])
    return b"\x1f\x8b\x08\x08" + time + b"\x00\x03" + name.removesuffix(".gz").encode() + b"\0" + packed[10:]


def _unpack_package(scratch: Path) -> None:
    """Download and unpack the package in `scratch`; package lists of our own where the system has none yet."""

    def run(*command: str) -> None:
        subprocess.run(command, cwd=scratch, check=True, capture_output=True, timeout=180)

    try:
        run("apt-get", "download", DEBIAN_PACKAGE)
    except subprocess.CalledProcessError:
        (scratch / "lists" / "partial").mkdir(parents=True)
        options = ("-o", f"Dir::State::Lists={scratch}/lists", "-o", f"Dir::Cache={scratch}")
        run("apt-get", *options, "update")
        run("apt-get", *options, "download", DEBIAN_PACKAGE)
    package = next(scratch.glob(f"{DEBIAN_PACKAGE}_*.deb"))
    run("dpkg-deb", "-x", package.name, str(scratch))
