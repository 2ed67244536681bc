"""A source, listed and read through its kind, as survey and ingest do."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from darkroom.sources.class_names import list_source
from darkroom.sources.source import Listing, Location, Reader, SourceImage, SourceKind

ROOM = 1 << 24


@dataclass(frozen=True)
class Source:
    kind: SourceKind
    location: Location
    listing: Listing

    @property
    def classes(self) -> tuple[str, ...]:
        return self.listing.classes

    @property
    def images(self) -> list[SourceImage]:
        return self.listing.images

    @property
    def ignored(self) -> list[tuple[str, str]]:
        return [(one.path, one.reason) for one in self.listing.ignored]

    @cached_property
    def read(self) -> Reader:
        return self.kind.reader(self.location, self.images)

    def rows(self) -> list[tuple[str, str, str | None, bytes]]:
        return [(image.path, image.label, image.split, self.read(image)) for image in self.images]

    def bytes_of(self, path: str) -> bytes:
        (image,) = [image for image in self.images if image.path == path]
        return self.read(image)


def listed(kind: SourceKind, path: Path, room: int = ROOM, root: Path | None = None) -> Source:
    location = Location(path, root, room)
    return Source(kind, location, list_source(kind, location))
