"""Where torchvision's data sets are fetched from, once: its mirrors, or for Fashion-MNIST Debian's package."""

import contextlib
import io
import socket
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from darkroom.runtime.cache_folder import cache_folder
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder

SECONDS_TO_WAIT = 15


def fetched(name: str, dataset: Any) -> Path:
    """The folder in the cache with torchvision's files of a data set, which are fetched first where they are not there.

    Fashion-MNIST comes from torchvision's mirrors, or else from Debian's package; the others from torchvision's mirrors.
    Checksums are torchvision's either way.

    Args:
        name: as in `ingest.source`.
        dataset: torchvision's class.

    Raises:
        DarkroomError: when no place can be reached.
    """
    from http.client import HTTPException

    folder = cache_folder() / name
    if folder.exists():
        return folder
    print(f"fetching {dataset.__name__} to {folder}", flush=True)
    with whole_folder(folder) as partial:
        try:
            _download(dataset, partial)
        except (OSError, RuntimeError, HTTPException) as mirrors:
            if name != "fashion-mnist":
                raise DarkroomError(
                    f"{dataset.__name__} can't be fetched from torchvision's mirrors ({mirrors}). With a copy of it on this "
                    'machine: make run SET="ingest.root=FOLDER". Without one, use the digits that scikit-learn carries: '
                    'make run SET="ingest.source=digits"'
                ) from None
            print("torchvision's mirrors can't be reached; trying Debian's package", flush=True)
            _fetch_package(dataset, partial, mirrors)
    return folder


def _fetch_package(dataset: Any, partial: Path, mirrors: Exception) -> None:
    try:
        fetch_from_debian(partial / dataset.__name__ / "raw")
        _download(dataset, partial)
    except (OSError, RuntimeError) as debian:
        raise DarkroomError(
            f"Fashion-MNIST can be fetched neither from torchvision's mirrors ({mirrors}) nor as Debian's package "
            f"{DEBIAN_PACKAGE} ({debian}). Without a network, use the digits that scikit-learn carries: "
            'make run SET="ingest.source=digits"'
        ) from None


def _download(dataset: Any, folder: Path) -> None:
    """Let torchvision fetch what is missing, check all of it, and unpack it; its chatter is dropped."""
    before = socket.getdefaulttimeout()
    # torchvision sets no limit of its own: a network that swallows packets would hang the line for ever.
    socket.setdefaulttimeout(SECONDS_TO_WAIT)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            dataset(folder, download=True)
    finally:
        socket.setdefaulttimeout(before)


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
