"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), through torchvision's class and checksums."""

import contextlib
import io
import os
import socket
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from darkroom.errors import DarkroomError
from darkroom.sources.arrays import as_png
from darkroom.sources.source import Listing, SourceImage
from darkroom.writing import whole_folder

DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("usr/share/datasets/fashion-mnist")
SECONDS_TO_WAIT = 15

# Debian packs the files anew without the name and the time that gzip stores, and leaves the compressed stream as it was. With
# both put back its files are, byte for byte, those that torchvision's checksums know. These are the times (Unix seconds).
GZIP_TIMES = {"train": 1504176606, "t10k": 1504176627}


def list_fashion_mnist() -> Listing:
    """70,000 grey pictures of 28 x 28 pixels in ten classes; 10,000 of them are the source's own test split.

    Fetched once to the user's cache folder: from torchvision's mirrors, or else from Debian's package. Checksums are
    torchvision's either way.

    Raises:
        DarkroomError: when neither place can be reached.
    """
    from darkroom.network.vision import torchvision

    root = cache_folder()
    parts = _fetch(torchvision.datasets.FashionMNIST, root)
    images = []
    for split, part in parts.items():
        for index, (picture, label) in enumerate(zip(part.data.numpy(), part.targets.tolist(), strict=True)):
            name = part.classes[label]
            images.append(
                SourceImage(f"{split}/{index:05}.png", name, split, lambda picture=picture: as_png(picture))  # type: ignore[misc]
            )
    return Listing(tuple(parts["test"].classes), sorted(images, key=lambda image: image.path))


def cache_folder() -> Path:
    """Where fetched data sets are kept, for all clones of one user; safe to delete."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "darkroom"


def _fetch(dataset: Any, root: Path) -> dict[str, Any]:
    """The training and the test part, from the cache folder, which is filled first where it is empty."""
    folder = root / "fashion-mnist"
    if not folder.exists():
        print(f"fetching Fashion-MNIST to {folder}", flush=True)
        with whole_folder(folder) as partial:
            try:
                _download(dataset, partial)
            except (OSError, RuntimeError) as mirrors:
                print("torchvision's mirrors can't be reached; trying Debian's package", flush=True)
                _fetch_from_debian(partial / dataset.__name__ / "raw", mirrors)
                _download(dataset, partial)
    return {split: dataset(folder, train=split == "train") for split in ("test", "train")}


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


def _fetch_from_debian(raw: Path, mirrors: Exception) -> None:
    """Copy the four .gz files of Debian's package, installed or fetched without root, to `raw`."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path("/") / DEBIAN_FOLDER
        if not source.exists():
            try:
                _unpack_debian_package(Path(scratch))
            except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as debian:
                raise DarkroomError(
                    f"Fashion-MNIST can be fetched neither from torchvision's mirrors ({mirrors}) nor as Debian's package "
                    f"{DEBIAN_PACKAGE} ({debian}). Without a network, use the digits that scikit-learn carries: "
                    'make run SET="ingest.source=digits"'
                ) from None
            source = Path(scratch) / DEBIAN_FOLDER
        raw.mkdir(parents=True, exist_ok=True)
        for file in sorted(source.glob("*.gz")):
            (raw / file.name).write_bytes(_with_gzip_header(file.name, file.read_bytes()))


def _with_gzip_header(name: str, packed: bytes) -> bytes:
    """A gzip file whose ten-byte header (RFC 1952) gets back the original's time and name."""
    time = struct.pack("<I", GZIP_TIMES[name.split("-")[0]])
    return b"\x1f\x8b\x08\x08" + time + b"\x00\x03" + name.removesuffix(".gz").encode() + b"\0" + packed[10:]


def _unpack_debian_package(scratch: Path) -> None:
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
