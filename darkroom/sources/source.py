"""What every source gives: the class list, and files that have not been read yet."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SourceImage:
    """One file that should be an image.

    Attributes:
        path: relative to the source's root, with `/`; unique within the source.
        label: name of its class.
        split: `train`, `validation` or `test` where the source divides its images, else None.
        read: gives the file's bytes; raises OSError when they can't be read.
    """

    path: str
    label: str
    split: str | None
    read: Callable[[], bytes]


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
    """

    classes: tuple[str, ...]
    images: list[SourceImage]
    ignored: list[Ignored] = field(default_factory=list)
