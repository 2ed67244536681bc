"""Copies of pictures, exact and changed, planted among the pictures themselves."""

import io
import random
from dataclasses import dataclass

from PIL import Image

KINDS = {"exact": 300, "re-encoded": 100, "resized": 100, "cropped": 100}
RELABELLED = 100


@dataclass(frozen=True)
class Plant:
    """Attributes:
    path: of the copy.
    original: path of what it is a copy of.
    kind: one of `KINDS`.
    relabelled: whether it stands under another label.
    """

    path: str
    original: str
    kind: str
    relabelled: bool


def change(data: bytes, kind: str, draw: random.Random) -> bytes:
    """A copy of a picture's file.

    Re-encoded: JPEG quality 40 to 90. Resized: to half to twice the side. Cropped: by 1 or 2 pixels of each side's 32 in all.
    The latter two are JPEGs of quality 95.
    """
    if kind == "exact":
        return data
    picture: Image.Image = Image.open(io.BytesIO(data))
    width, height = picture.size
    quality = 95
    if kind == "re-encoded":
        quality = draw.randint(40, 90)
    if kind == "resized":
        factor = draw.uniform(0.5, 2)
        picture = picture.resize((round(width * factor), round(height * factor)), Image.Resampling.BICUBIC)
    if kind == "cropped":
        across, down = draw.randint(1, 2), draw.randint(1, 2)
        left, top = draw.randint(0, across), draw.randint(0, down)
        picture = picture.crop((left, top, width - across + left, height - down + top))
    changed = io.BytesIO()
    picture.save(changed, "JPEG", quality=quality)
    return changed.getvalue()


def flat(pictures: list[tuple[str, bytes]]) -> dict[str, bytes]:
    """`class/<what stood above>-<name>` → bytes."""
    renamed = {}
    for name, data in pictures:
        *above, label, file = name.split("/")
        renamed[f"{label}/{'-'.join([*above, file])}"] = data
    return renamed


def plant(originals: dict[str, bytes]) -> tuple[dict[str, bytes], list[Plant]]:
    """The copies by path, and what they are."""
    draw = random.Random(0)
    classes = sorted({path.partition("/")[0] for path in originals})
    chosen = draw.sample(sorted(originals), sum(KINDS.values()))
    relabelled = set(draw.sample(chosen, RELABELLED))
    kinds = [kind for kind, count in KINDS.items() for _ in range(count)]
    copies, plants = {}, []
    for number, (original, kind) in enumerate(zip(chosen, kinds, strict=True)):
        label = original.partition("/")[0]
        if original in relabelled:
            label = draw.choice([other for other in classes if other != label])
        path = f"{label}/planted-{number:03}.jpg"
        copies[path] = change(originals[original], kind, draw)
        plants.append(Plant(path, original, kind, original in relabelled))
    return copies, plants
