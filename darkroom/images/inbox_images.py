"""The images of the inbox beside those of the source: new ones join them, and known ones get their class."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from darkroom.images.cache import ImageCache
from darkroom.images.ingest import image_id, stamp_key
from darkroom.labels.fixes import LabelFix
from darkroom.runtime.text import count
from darkroom.runtime.threads import in_order
from darkroom.sources.folder import read_image_file
from darkroom.sources.listing import Surveyed
from darkroom.sources.source import Ignored, Reader, SourceImage


@dataclass(frozen=True)
class Joined:
    """Source and inbox as one.

    Attributes:
        surveyed: with the images of the inbox, which are named by their path from the root of the repository.
        read: gives the bytes of any of the images.
        fixes: of the file of label fixes, and those that the inbox makes.
        lines: what the inbox adds, for people.
    """

    surveyed: Surveyed
    read: Reader
    fixes: list[LabelFix]
    lines: tuple[str, ...] = ()


def join_inbox(
    surveyed: Surveyed, read: Reader, fixes: list[LabelFix], rows: pa.Table, inbox: Path, cache: ImageCache
) -> Joined:
    """Add the images of the inbox.

    An image that the source has, byte for byte, is not added: the class that the inbox has for it is a label fix, unless the
    file of label fixes decides on that image. An image of a class that the source does not have is ignored, with that reason.

    Args:
        surveyed: the source.
        read: its images.
        fixes: what the file of label fixes decides.
        rows: as `darkroom.labels.inbox_survey.survey_inbox` gives them.
        inbox: the folder.
        cache: of images, which has the hashes of those in archives; the others in archives are read.
    """
    if not len(rows):
        return Joined(surveyed, read, fixes)
    listing, decided = surveyed.listing, {fix.image for fix in fixes}
    of_source = defaultdict(list)
    for image, sha256 in zip(listing.images, _content_hashes(surveyed, read, cache), strict=True):
        of_source[sha256].append(image)
    added, ignored, made = [], list(listing.ignored), list(fixes)
    for row in rows.to_pylist():
        name = f"{inbox}/{row['path']}"
        if row["label"] not in listing.classes:
            ignored.append(Ignored(name, "of a class that the source does not have"))
        elif row["sha256"] and (same := of_source[row["sha256"]]):
            ignored.append(Ignored(name, "an image of the source, which gets its class"))
            made += [
                _fix(image.path, image.label, row)
                for image in same
                if not {image.path, image_id(image.path, row["sha256"])} & decided
            ]
        else:
            added.append((SourceImage(name, row["label"], None, row["path"]), row["sha256"], row["bytes"] or 0))
            made.append(_fix(name, row["label"], row))
    images = sorted(
        [*zip(listing.images, surveyed.hashes, surveyed.sizes, strict=True), *added], key=lambda each: each[0].path
    )
    whole = replace(listing, images=[image for image, _, _ in images], ignored=sorted(ignored))
    names = {image.path for image, _, _ in added}
    text = f"{count(len(added), 'image')} of {inbox} beside the source, {len(made) - len(fixes) - len(added):,} more decide"
    return Joined(
        replace(surveyed, listing=whole, hashes=[each[1] for each in images], sizes=[each[2] for each in images]),
        lambda image: read_image_file(inbox / str(image.file)) if image.path in names else read(image),
        made,
        (f"{text} on images of the source",),
    )


def _fix(image: str, label: str, row: dict[str, Any]) -> LabelFix:
    """The fix that a row of the inbox is for an image with that label; it is in no line of the file of fixes."""
    changes = row["label"] != label
    action, new = ("relabel", row["label"]) if changes else ("keep", None)
    return LabelFix(0, image, action, new, row["reviewer"] or "unknown", row["reason"] or "in the inbox")


def _content_hashes(surveyed: Surveyed, read: Reader, cache: ImageCache) -> Sequence[str | None]:
    """SHA-256 of every image; None where it can't be read."""

    def hashed(each: tuple[SourceImage, str | None]) -> str | None:
        image, known = each
        if (
            known
            or (known := cache.stamps.get(stamp_key(image)))
            or (image.place is None and image.file and not image.stamp)
        ):
            return known
        try:
            return hashlib.sha256(read(image)).hexdigest()
        except OSError:
            return None

    return list(in_order(hashed, zip(surveyed.listing.images, surveyed.hashes, strict=True)))
