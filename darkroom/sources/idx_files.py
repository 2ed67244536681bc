"""The four files of MNIST and its kin, in LeCun's IDX format, packed with gzip or not."""

import gzip
import hashlib
import math
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError

# http://yann.lecun.com/exdb/mnist/: a magic number that names uint8 and the dimensions, then their lengths.
MAGIC = {"idx1": b"\0\0\x08\x01", "idx3": b"\0\0\x08\x03"}


def unpack_idx(dataset: Any, local: Path, target: Path) -> None:
    """Unpack the files of torchvision's class to where it looks for them below `target`, each checked.

    Packed files are compared with torchvision's MD5. For unpacked ones it has none, so only their form is checked: they count
    where the packed ones are missing.

    Raises:
        DarkroomError: when a file is missing, or is not what it should be.
    """
    raw = target / dataset.__name__ / "raw"
    raw.mkdir(parents=True)
    for packed_name, md5 in dataset.resources:
        name = packed_name.removesuffix(".gz")
        content = _read(dataset, local, name, md5)
        _check_form(local, name, content)
        (raw / name).write_bytes(content)


def _read(dataset: Any, local: Path, name: str, md5: str) -> bytes:
    """The unpacked bytes of a file, wherever in a copy it lies."""
    folders: list[Path] = [local / dataset.__name__ / "raw", local]
    for folder in folders:
        packed = folder / f"{name}.gz"
        if packed.exists():
            content = packed.read_bytes()
            found = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if found != md5:
                raise DarkroomError(
                    f"{packed} has the MD5 {found}, and torchvision knows {dataset.__name__}'s as {md5}: fetch it again"
                )
            return gzip.decompress(content)
    for folder in folders:
        if (folder / name).exists():
            return (folder / name).read_bytes()
    raise DarkroomError(
        f"{folders[0]} holds neither {name}.gz nor {name}: fetch {dataset.__name__} again, or leave ingest.root empty"
    )


def _check_form(local: Path, name: str, content: bytes) -> None:
    """Hold the header's magic number and lengths against the file; labels have one dimension, images three."""
    kind = name.split("-")[2]
    start = 4 + 4 * int(kind[-1])
    lengths = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if content[:4] != MAGIC[kind] or len(content) != start + math.prod(lengths):
        raise DarkroomError(f"{name} in {local} is cut short or damaged: fetch it again, or leave ingest.root empty")
