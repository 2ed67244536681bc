"""The pictures of a few images of a revision, from no more shards than hold them."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from PIL import Image

from darkroom.drawing.pictures import image_data_uri, is_small
from darkroom.images.decode import UnreadableImage, decode
from darkroom.images.manifest import INGEST
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.revisions import open_revision

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
        missing: images whose bytes could not be got.
        reason: why, of the first of them.
    """

    of: dict[int, Picture] = field(default_factory=dict)
    missing: int = 0
    reason: str = ""


def read_pictures(revision: str, images: pd.DataFrame, rows: set[int]) -> Pictures:
    """Decode some images. A shard that can't be got costs its pictures, and nothing else; that is said in the result.

    Args:
        revision: as for `open_revision`.
        images: `shard`, `offset`, `bytes`, as in the manifest.
        rows: of `images`.
    """
    pictures = Pictures()
    if not rows:
        return pictures
    chosen = images.iloc[sorted(rows)][["shard", "offset", "bytes"]].sort_values(["shard", "offset"], kind="stable")
    silent = False
    with open_revision(revision) as opened:
        for shard, places in chosen.groupby("shard", sort=False):
            if silent:
                pictures.missing += len(places)
                continue
            try:
                content = opened.get(f"{INGEST}/shards/{shard}.bin")
            except DarkroomError as error:
                pictures.missing += len(places)
                pictures.reason = pictures.reason or str(error)
                # What is not there says so at once; a remote that can't be reached may take a minute each time.
                silent = isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError)
                continue
            with content.open("rb") as file:
                for row, _, offset, length in places.itertuples():
                    file.seek(offset)
                    picture = _picture(file.read(length))
                    if picture:
                        pictures.of[row] = picture
    return pictures


def _picture(data: bytes) -> Picture | None:
    try:
        # Pillow opens some JPEG files that the default decoder refuses, and an older revision may have taken them in.
        pixels = decode(data, "pillow", least_side=SIDE).pixels
    except UnreadableImage:
        return None
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = np.atleast_3d(np.asarray(picture))
    return Picture(image_data_uri(pixels), is_small(pixels))
