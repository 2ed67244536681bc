"""The images of the inbox beside those of the source: new ones join them, and known ones get their class."""

import hashlib
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.known_images import image_key
from darkroom.images.range_cache import RangeCache
from darkroom.images.range_ingest import image_id
from darkroom.images.range_source import as_objects
from darkroom.labels.fixes import LabelFix
from darkroom.runtime.text import count
from darkroom.runtime.threads import in_order
from darkroom.sources.listing import IMAGES, SurveyRange, read_survey_range
from darkroom.sources.source import Ignored, Reader, SourceImage


@dataclass(frozen=True)
class Joined:
    """Source and inbox as one, by range.

    Attributes:
        added: images of the inbox by the range in whose part of the list they are, with the columns of `IMAGES`, sorted by
            path; they are named by their path from the root of the repository.
        fixes: by the range that has the image: those that name a path, and those that the inbox makes.
        ignored: images of the inbox that are not added.
        counts: class, no split, and number of the images that are added.
        lines: what the inbox adds, for people.
    """

    added: Mapping[str, pa.Table] = field(default_factory=dict)
    fixes: Mapping[str, Sequence[LabelFix]] = field(default_factory=dict)
    ignored: Sequence[Ignored] = ()
    counts: Sequence[tuple[str, None, int]] = ()
    lines: tuple[str, ...] = ()

    def added_to(self, name: str) -> pa.Table:
        """Those of a range."""
        return self.added.get(name, IMAGES.empty_table())

    def fixes_of(self, name: str) -> Sequence[LabelFix]:
        """Those of the images of a range."""
        return self.fixes.get(name, ())


# Gives SHA-256 of each image of a range, null where it can't be read: its name, and its images.
ContentHashes = Callable[[str, pa.Table], pa.Array]


def join_inbox(
    survey: Path,
    ranges: Sequence[SurveyRange],
    classes: Sequence[str],
    fixes: Mapping[str, Sequence[LabelFix]],
    by_id: Sequence[LabelFix],
    rows: pa.Table,
    inbox: Path,
    hashes_of: ContentHashes,
) -> Joined:
    """Add the images of the inbox.

    An image that the source has, byte for byte, is not added: the class that the inbox has for it is a label fix, unless the
    file of label fixes decides on that image. An image of a class that the source does not have is ignored, with that reason.

    Args:
        survey: the folder that the survey stage wrote.
        ranges: of it.
        classes: of the source.
        fixes: what the file of label fixes decides on images that it names by their paths, by range.
        by_id: what it decides on images that it names by their ids.
        rows: as `darkroom.labels.inbox_survey.survey_inbox` gives them.
        inbox: the folder.
        hashes_of: content of the images of a range.
    """
    if not len(rows):
        return Joined(fixes=fixes)
    decided = {fix.image for each in (*fixes.values(), by_id) for fix in each}
    starts, of_source = _find_contents(survey, ranges, rows, hashes_of)
    added, ignored, made = defaultdict(list), list[Ignored](), 0
    joined = defaultdict(list, {name: list(each) for name, each in fixes.items()})
    for row in rows.to_pylist():
        name = f"{inbox}/{row['path']}"
        if row["label"] not in classes:
            ignored.append(Ignored(name, "of a class that the source does not have"))
        elif row["sha256"] and (same := of_source[row["sha256"]]):
            ignored.append(Ignored(name, "an image of the source, which gets its class"))
            for place, path, label in same:
                if not {path, image_id(path, row["sha256"])} & decided:
                    joined[place].append(_fix(path, label, row))
                    made += 1
        else:
            place = ranges[max(bisect_right(starts, name) - 1, 0)].name
            image = SourceImage(name, row["label"], None, row["path"])._asdict()
            added[place].append(image | {"bytes": row["bytes"], "sha256": row["sha256"]})
            joined[place].append(_fix(name, row["label"], row))
    number = sum(map(len, added.values()))
    text = f"{count(number, 'image')} of {inbox} beside the source, {made:,} more decide on images of the source"
    tables = {name: pa.Table.from_pylist(images, IMAGES).sort_by("path") for name, images in added.items()}
    labels = Counter(image["label"] for images in added.values() for image in images)
    return Joined(tables, joined, ignored, [(label, None, images) for label, images in labels.items()], (text,))


def _find_contents(
    survey: Path, ranges: Sequence[SurveyRange], rows: pa.Table, hashes_of: ContentHashes
) -> tuple[list[str], dict[str, list[tuple[str, str, str]]]]:
    """The first path of each range; and SHA-256 of images of the inbox → range, path and label of those that the source has."""
    wanted, starts = rows["sha256"].combine_chunks().drop_null(), list[str]()
    found = defaultdict(list)
    for each in ranges:
        images = read_survey_range(survey, each.name)
        starts.append(images["path"][0].as_py())
        images = images.select(["path", "label"]).append_column("sha256", hashes_of(each.name, images))
        for image in images.filter(pc.is_in(images["sha256"], value_set=wanted)).to_pylist():
            found[image["sha256"]].append((each.name, image["path"], image["label"]))
    return starts, found


def _fix(image: str, label: str, row: dict[str, Any]) -> LabelFix:
    """The fix that a row of the inbox is for an image with that label; it is in no line of the file of fixes."""
    changes = row["label"] != label
    action, new = ("relabel", row["label"]) if changes else ("keep", None)
    return LabelFix(0, image, action, new, row["reviewer"] or "unknown", row["reason"] or "in the inbox")


def content_hashes(
    images: pa.Table, name: str, open_reader: Callable[[Sequence[SourceImage]], Reader], cache: Path, decoder: str
) -> pa.Array:
    """SHA-256 of every image of a range, null where it can't be read.

    Args:
        images: with the columns of `IMAGES`.
        name: of the range.
        open_reader: gives the reader of these images.
        cache: `.darkroom/cache`, which has the hashes of those in archives; the others in archives are read.
        decoder: by which the cache is found.
    """
    known = images["sha256"].combine_chunks()
    # A whole file that the survey could not hash can't be read.
    unread = pc.and_(
        pc.is_null(known),
        pc.or_(pc.is_valid(images["place"]), pc.or_(pc.is_null(images["file"]), pc.is_valid(images["stamp"]))),
    )
    if not pc.any(unread).as_py():
        return known
    facts = RangeCache(cache, decoder, name).load("facts").get("facts")
    objects, hashes = as_objects(images), known.to_pylist()
    of_key: dict[str, str] = (
        {} if facts is None else dict(zip(facts["key"].to_pylist(), facts["sha256"].to_pylist(), strict=True))
    )
    read = open_reader(objects)

    def hashed(image: SourceImage) -> str | None:
        if found := of_key.get(image_key(image, None) or ""):
            return found
        try:
            return hashlib.sha256(read(image)).hexdigest()
        except OSError:
            return None

    left = [place for place, is_unread in enumerate(unread.to_pylist()) if is_unread]
    for place, sha256 in zip(left, in_order(hashed, (objects[place] for place in left)), strict=True):
        hashes[place] = sha256
    return pa.array(hashes, pa.string())
