"""The images of a range as the survey lists them, with those of the inbox; and their bytes, which must be what it found."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.image_files import read_image_file
from darkroom.sources.listing import read_survey_range
from darkroom.sources.source import Location, Reader, SourceImage, SourceKind


def range_images(survey: Path, name: str, added: pa.Table) -> pa.Table:
    """The images of a range with those of the inbox, sorted by path, with the columns of `IMAGES`."""
    listed = read_survey_range(survey, name)
    return pa.concat_tables([listed, added]).sort_by("path") if len(added) else listed


def as_objects(images: pa.Table) -> list[SourceImage]:
    """The rows of a table with the columns of `IMAGES`."""
    columns = images.select(SourceImage._fields).to_pydict()
    columns["place"] = [None if place is None else tuple(place) for place in columns["place"]]
    return list(map(SourceImage, *columns.values()))


def open_range(
    kind: SourceKind, location: Location, images: Sequence[SourceImage], inbox: Path, added: pa.Table
) -> Reader:
    """Gives the bytes of images of the source, and of those of the inbox, which are named by their path from the repository."""
    if not len(added):
        return kind.reader(location, images)
    names = frozenset(added["path"].to_pylist())
    read = kind.reader(location, [image for image in images if image.path not in names])
    return lambda image: read_image_file(inbox / str(image.file)) if image.path in names else read(image)


def read_again(read: Reader, image: SourceImage, sha256: str) -> bytes:
    """The bytes of an image that is known.

    Raises:
        DarkroomError: when they are others.
    """
    try:
        content = read(image)
    except OSError as error:
        raise changed(image, f"the survey could read it, and it can't be read: {error.strerror or error}") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise changed(image, "its content")
    return content


def changed(image: SourceImage, what: str) -> DarkroomError:
    """The error about an image that is no longer what the survey found."""
    return DarkroomError(
        f"{printable(image.path)} changed while it was ingested: run the line again when nothing writes to the source and all "
        f"of it is there ({printable(what)})"
    )
