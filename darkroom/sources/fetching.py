"""Where published data sets are fetched from, once, and kept."""

import contextlib
import http.client
import io
import os
import socket
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder
from darkroom.sources.debian import DEBIAN_PACKAGE, fetch_from_debian

SECONDS_TO_WAIT = 15


def cache_folder() -> Path:
    """Where fetched data sets are kept, for all clones of one user; safe to delete."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "darkroom"


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
    folder = cache_folder() / name
    if folder.exists():
        return folder
    print(f"fetching {dataset.__name__} to {folder}", flush=True)
    with whole_folder(folder) as partial:
        try:
            _download(dataset, partial)
        except (OSError, RuntimeError, http.client.HTTPException) as mirrors:
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
