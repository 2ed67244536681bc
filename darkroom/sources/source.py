"""What every source gives: the class list, and files that have not been read yet."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from darkroom.runtime.arrays import UInt8s


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One file that should be an image.

    Attributes:
        path: relative to the source's root, with `/`; unique within the source.
        label: name of its class.
        split: `train`, `validation` or `test` where the source divides its images, else None.
        read: gives the file's bytes; raises OSError when they can't be read.
        file: the file that holds this image alone, where there is one: the survey knows its hash.
        stamp: of an image inside an archive or a table, a mark that changes when its bytes do, such as a zip's CRC-32 and
            length, got without opening the image; None where there is no such mark.
        group: the user's own name for images that must stay together, where the source has one.
        timestamp: when the picture was taken, in UTC, where the source says so.
    """

    path: str
    label: str
    split: str | None
    read: Callable[[], bytes]
    file: Path | None = None
    stamp: str | None = None
    group: str | None = None
    timestamp: datetime | None = None


@dataclass(frozen=True)
class Ignored:
    """A file of the source that does not count as one of its images, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """All that a source holds, before anything in it is opened.

    Attributes:
        classes: names in label order.
        images: sorted by path.
        ignored: sorted by path.
        inputs: files beside the images that the listing was made from: the archive, the table, a list of names.
    """

    classes: tuple[str, ...]
    images: list[SourceImage]
    ignored: list[Ignored] = field(default_factory=list)
    inputs: list[Path] = field(default_factory=list)


def as_png(pixels: UInt8s) -> bytes:
    """The PNG file of a picture: uint8 [H, W] (grey) or [H, W, 3] (RGB); it loses nothing."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
