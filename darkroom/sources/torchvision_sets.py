"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100, through torchvision's classes and checksums."""

import gzip
import hashlib
import math
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.sources.fetching import fetched
from darkroom.sources.source import Listing, Location, Reader, SourceImage, SourceKind, as_png

TORCHVISION_CLASSES = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}


def list_torchvision_set(name: str, location: Location) -> Listing:
    """All pictures of a data set, as PNG files, with the source's own train and test split.

    MNIST and Fashion-MNIST hold 70,000 grey pictures of 28 x 28 pixels (LeCun et al. 1998; Xiao, Rasul, Vollgraf 2017), the
    CIFAR sets 60,000 in colour of 32 x 32 (Krizhevsky 2009); CIFAR-100 with its 100 fine labels. 10,000 each are for test.

    Args:
        name: `mnist`, `fashion-mnist`, `cifar10` or `cifar100`.
        location: its `root` is a copy as torchvision lays it out, packed or unpacked; it is only read. Without one the set is
            fetched once to the user's cache folder.

    Raises:
        DarkroomError: when the copy is missing, incomplete or has other bytes than torchvision knows, or when there is none
            and nothing can be fetched.
    """
    images = []
    classes: tuple[str, ...] = ()
    for split, part in _load(name, location).items():
        classes = part.classes
        images += [
            SourceImage(f"{split}/{index:05}.png", classes[label], split, None, (index,))
            for index, label in enumerate(part.labels)
        ]
    return Listing(classes, images)


def _read_torchvision_set(name: str, location: Location, images: Sequence[SourceImage]) -> Reader:
    """Read pictures by their split, and their number in it.

    Raises:
        DarkroomError: as `list_torchvision_set`; and when the copy has other labels than the listing.
    """
    parts = _load(name, location)
    for image in images:
        part, (index,) = parts[str(image.split)], image.place or ()
        if index >= len(part.labels) or part.classes[part.labels[index]] != image.label:
            raise DarkroomError(
                f"the copy of {name} changed after the survey, which knows it by its name alone: remove .darkroom/cache"
            )

    def read(image: SourceImage) -> bytes:
        (index,) = image.place or ()
        return as_png(parts[str(image.split)].pixels[index])

    return read


class _Part(NamedTuple):
    """A split: pixels, uint8 [N, H, W] or [N, H, W, 3]; their labels; the names of the classes in label order."""

    pixels: UInt8s
    labels: list[int]
    classes: tuple[str, ...]


def _load(name: str, location: Location) -> dict[str, _Part]:
    """The splits `test` and `train`, from the copy or from the cache."""
    from darkroom.runtime.vision import torchvision

    dataset = getattr(torchvision.datasets, TORCHVISION_CLASSES[name])
    if location.root is not None:
        return _load_copy(dataset, location.root.expanduser())
    cached = fetched(name, dataset)
    try:
        return _load_copy(dataset, cached)
    except DarkroomError as error:
        raise DarkroomError(f"{error}; that copy is Darkroom's own: remove {cached} to have it fetched anew") from None


def _load_copy(dataset: Any, local: Path) -> dict[str, _Part]:
    parts = {}
    with _checked(dataset, local) as folder:
        for split in ("test", "train"):
            opened = dataset(folder, train=split == "train")
            pixels, labels = _pixels(opened), _labels(opened)
            if len(pixels) != len(labels) or max(labels, default=0) >= len(opened.classes):
                raise DarkroomError(
                    f"{local}: the {split} labels do not go with the images: fetch {dataset.__name__} again"
                )
            parts[split] = _Part(pixels, labels, tuple(opened.classes))
    return parts


@contextmanager
def _checked(dataset: Any, local: Path) -> Iterator[Path]:
    """A folder that torchvision's class can open, all of it checked; what is packed is unpacked elsewhere for the time."""
    if not local.is_dir():
        raise DarkroomError(
            f"there is no folder {local}: ingest.root must name the folder that contains a copy of {dataset.__name__}, or be "
            "left empty to have it fetched"
        )
    with tempfile.TemporaryDirectory() as scratch:
        if hasattr(dataset, "resources"):
            unpack_idx(dataset, local, Path(scratch))
            yield Path(scratch)
        else:
            yield local if _is_unpacked_cifar(dataset, local) else _unpack_cifar(dataset, local, Path(scratch))


def _is_unpacked_cifar(dataset: Any, local: Path) -> bool:
    """Whether the unpacked files are all there with the MD5 that torchvision knows.

    They are pickles: torchvision compares each with its MD5 before it opens any, and so nothing else is ever unpickled.
    """
    from darkroom.runtime.vision import torchvision

    files = [*dataset.train_list, *dataset.test_list, (dataset.meta["filename"], dataset.meta["md5"])]
    return all(
        torchvision.datasets.utils.check_integrity(local / dataset.base_folder / file, md5) for file, md5 in files
    )


def _unpack_cifar(dataset: Any, local: Path, scratch: Path) -> Path:
    """Unpack the archive in `local`, when it is the one that torchvision knows, to `scratch`."""
    from darkroom.runtime.vision import torchvision

    archive = local / dataset.filename
    if not torchvision.datasets.utils.check_integrity(archive, dataset.tgz_md5):
        found = "is not the file that torchvision knows by its MD5" if archive.exists() else "is not there"
        raise DarkroomError(
            f"{local} contains no whole copy of {dataset.__name__}: the files of {dataset.base_folder}/ are not all there with "
            f"the MD5 that torchvision knows, and {dataset.filename} {found}; fetch it again, or leave ingest.root empty"
        )
    with tarfile.open(archive) as opened:
        opened.extractall(scratch, filter="data")
    if not _is_unpacked_cifar(dataset, scratch):
        raise DarkroomError(f"{archive} does not hold the files of {dataset.__name__} that torchvision knows")
    return scratch


def _pixels(part: Any) -> Any:
    """uint8 [N, H, W] or [N, H, W, 3]."""
    return part.data.numpy() if hasattr(part.data, "numpy") else part.data


def _labels(part: Any) -> list[int]:
    return part.targets.tolist() if hasattr(part.targets, "tolist") else part.targets  # type: ignore[no-any-return]


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
    """The unpacked bytes of a file, wherever it is in a copy."""
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
        f"{folders[0]} contains neither {name}.gz nor {name}: fetch {dataset.__name__} again, or leave ingest.root empty"
    )


def _check_form(local: Path, name: str, content: bytes) -> None:
    """Hold the header's magic number and lengths against the file; labels have one dimension, images three."""
    kind = name.split("-")[2]
    start = 4 + 4 * int(kind[-1])
    lengths = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if content[:4] != MAGIC[kind] or len(content) != start + math.prod(lengths):
        raise DarkroomError(f"{name} in {local} is cut short or damaged: fetch it again, or leave ingest.root empty")


TORCHVISION_SETS = tuple(
    SourceKind(
        name,
        detect=lambda path: False,  # they go by their names
        files=lambda location: [],
        list=partial(list_torchvision_set, name),
        reader=partial(_read_torchvision_set, name),
    )
    for name in TORCHVISION_CLASSES
)
