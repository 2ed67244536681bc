"""What a kind of source is, and what each gives: the class list, and images that have not been read yet."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.files import file_hash


@dataclass(frozen=True)
class Location:
    """Where a source is, how large it may be, and how it is read where there are two ways.

    Attributes:
        path: the folder or the file; torchvision's sets and the digits do not read it.
        root: a copy of one of torchvision's sets, as torchvision lays it out; without one it is fetched.
        max_unpacked_bytes: an archive, or a Parquet table with images, that would unpack to more is refused.
        class_level: of the class folders in a folder or an archive, counted from 1 for the folders at the top; None: found.
        join_classes: whether classes whose names differ only in case, blanks and the like are one; None: the source is refused.
        zip_encoding: of the names in a zip that are not marked as UTF-8; None: found.
        url: of a folder in an object store, in place of `path`, such as `s3://bucket/photos`.
    """

    path: Path
    root: Path | None
    max_unpacked_bytes: int
    class_level: int | None = None
    join_classes: bool | None = None
    zip_encoding: str | None = None
    url: str | None = None

    @property
    def name(self) -> str:
        """The path or the URL, for messages."""
        return self.url or str(self.path)

    @property
    def base(self) -> Path:
        """The folder at which the relative paths of the source's files start."""
        return self.path if self.path.is_dir() else self.path.parent


def expand_home(name: str) -> Path:
    """A path, in which a `~` is the home of whoever runs this; where it names a user that there is not it is a file's name."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


class SourceImage(NamedTuple):
    """One file that should be an image.

    Attributes:
        path: its name in the source, with `/`; unique there.
        label: name of its class.
        split: `train`, `validation` or `test` where the source has splits, else None.
        file: the file that it is, or is in, relative to `Location.base` or absolute; None where the source has no files.
        place: where in that file, or in the data set, it is, as its kind of source counts; None where it is the whole file.
        stamp: of an image inside an archive, a table or a bucket, a mark that changes when its bytes do, such as a zip's CRC-32
            and length, or an object's ETag, read without opening the image; None where there is no such mark.
        group: the user's own name for images that must stay together, where the source has one.
        timestamp: when the picture was taken, in UTC, where the source has one.
    """

    path: str
    label: str
    split: str | None
    file: str | None
    place: tuple[int, ...] | None = None
    stamp: str | None = None
    group: str | None = None
    timestamp: datetime | None = None


class Ignored(NamedTuple):
    """A file of the source that does not count as one of its images, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """All that a source contains, before any image in it is opened.

    Attributes:
        classes: names in label order.
        images: sorted by path.
        ignored: sorted by path.
        inputs: files beside the images that the listing was made from, as `SourceImage.file`: the archive, the table, a list of
            names.
        sizes: bytes of each image, in the order of the images, where the listing tells all that is known before they are read;
            None where their files are looked at.
    """

    classes: tuple[str, ...]
    images: list[SourceImage]
    ignored: list[Ignored] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    sizes: list[int] | None = None

    @cached_property
    def files(self) -> list[str]:
        """Every file of the source that counts, each once: those of the images, which need not exist, and the inputs."""
        files = dict.fromkeys([image.file for image in self.images])
        return [file for file in files | dict.fromkeys(self.inputs) if file is not None]


# Gives the bytes of an image, from any thread; raises OSError when they can't be read.
Reader = Callable[[SourceImage], bytes]


@dataclass(frozen=True)
class SourceKind:
    """A kind of source.

    Attributes:
        name: as in `ingest.source`.
        detect: whether this kind is at a path that exists and can be read.
        files: the files of a source whose images are not files of their own, found without a listing: while their hashes stay
            as they are, so does the listing. None where only a listing finds the files.
        list: list a source. Raises a DarkroomError when it can't be listed.
        reader: open a source to read the images of its listing.
        readers: how many images to read at a time, where they come over a network; None: one for each core.
        hash: of a file that changes when what is in it does, in hex. Raises OSError when it can't be read.
    """

    name: str
    detect: Callable[[Path], bool]
    files: Callable[[Location], Sequence[str] | None]
    list: Callable[[Location], Listing]
    reader: Callable[[Location, Sequence[SourceImage]], Reader]
    readers: int | None = None
    hash: Callable[[Path], str] = file_hash


def files_by_listing(location: Location) -> None:
    """`SourceKind.files` of a source whose images are files of their own."""


def as_png(pixels: UInt8s) -> bytes:
    """The PNG file of a picture: uint8 [H, W] (grey) or [H, W, 3] (RGB); it loses nothing."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
