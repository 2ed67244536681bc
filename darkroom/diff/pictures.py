"""The pictures of a few images of a revision, from no more shards than needed."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from PIL import Image

from darkroom.drawing.pictures import image_data_uri, is_small
from darkroom.images.decode import UnreadableImage, decode
from darkroom.images.manifest import INGEST
from darkroom.model.depth import DEPTH, Depth, load_depth
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.revisions import Revision, open_revision

# Pixels a side: some 6 kB each, so that a page with all its galleries full stays under 2 MB.
SIDE = 112


@dataclass(frozen=True)
class Picture:
    """The `src` of an `<img>`, and whether its pixels are shown as squares."""

    uri: str
    crisp: bool


@dataclass
class Pictures:
    """What could be shown of one revision.

    Attributes:
        of: by row.
        missing: images whose bytes are out of reach.
        reason: why, of the first of them.
    """

    of: dict[int, Picture] = field(default_factory=dict)
    missing: int = 0
    reason: str = ""


def read_pictures(revision: str, images: pd.DataFrame, rows: set[int]) -> Pictures:
    """Decode some images. Where a shard is out of reach, only its pictures are missing, which the result counts.

    Args:
        revision: as for `open_revision`.
        images: `shard`, `offset`, `bytes`, as in the manifest.
        rows: of `images`.
    """
    pictures = Pictures()
    if not rows:
        return pictures
    chosen = images.iloc[sorted(rows)][["shard", "offset", "bytes"]].sort_values(["shard", "offset"], kind="stable")
    out_of_reach = False
    with open_revision(revision) as opened:
        depth = _depth(opened)
        for shard, places in chosen.groupby("shard", sort=False):
            if out_of_reach:
                pictures.missing += len(places)
                continue
            try:
                content = opened.get(f"{INGEST}/shards/{shard}.bin")
            except DarkroomError as error:
                pictures.missing += len(places)
                pictures.reason = pictures.reason or str(error)
                # What is not there fails at once; a remote that can't be reached may take a minute each time.
                out_of_reach = isinstance(error.__cause__, OSError) and not isinstance(
                    error.__cause__, FileNotFoundError
                )
                continue
            with content.open("rb") as file:
                for row, _, offset, length in places.itertuples():
                    file.seek(offset)
                    picture = _picture(file.read(length), depth)
                    if picture:
                        pictures.of[row] = picture
    return pictures


def _depth(opened: Revision) -> Depth | None:
    rule = f"{INGEST}/{DEPTH}"
    try:
        return load_depth(opened.get(rule).parent) if opened.has(rule) else None
    except DarkroomError:
        return None  # Out of reach, as the shards will be.


def _picture(data: bytes, depth: Depth | None) -> Picture | None:
    try:
        # Pillow opens some JPEG files that the default decoder refuses, and an older revision may have ingested them.
        pixels = decode(data, "pillow", least_side=SIDE, depth=depth).pixels
    except UnreadableImage:
        return None
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = np.atleast_3d(np.asarray(picture))
    return Picture(image_data_uri(pixels), is_small(pixels))
