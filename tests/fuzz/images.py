"""Images that are damaged: through every decoder, and as a folder through survey and ingest."""

import io
from pathlib import Path
from random import Random

import numpy as np
import pillow_heif
import tifffile
from PIL import Image

from darkroom.images.decode import Decoded, UnreadableImage, decode
from darkroom.model.depth import Depth
from tests.fuzz.mutations import mutate_bytes
from tests.fuzz.outcome import Outcome, hashes, ingest_whole

DECODERS = ("turbo", "opencv", "pillow")
DEPTH = Depth("full", {"uint16": (0.0, 65535.0), "int16": (-32768.0, 32767.0), "float": (0.0, 1.0)})


def sound_images() -> dict[str, bytes]:
    """A file of each kind that Darkroom reads, some 40 pixels wide, by its name."""
    wide = np.add.outer(np.arange(32) * 5, np.arange(40) * 3)
    colour = Image.fromarray(np.stack([wide, wide[::-1], 255 - wide], axis=-1).astype(np.uint8))
    grey = colour.convert("L")
    files: dict[str, bytes] = {}

    def save(name: str, picture: Image.Image, **options: object) -> None:
        buffer = io.BytesIO()
        picture.save(buffer, **options)  # type: ignore[arg-type]
        files[name] = buffer.getvalue()

    exif = Image.Exif()
    exif[0x0112] = 6
    save("rgb.jpg", colour, format="JPEG", exif=exif)
    save("grey.jpg", grey, format="JPEG")
    save("progressive.jpg", colour, format="JPEG", progressive=True)
    save("cmyk.jpg", colour.convert("CMYK"), format="JPEG")
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16"):
        picture = Image.fromarray(wide.astype(np.uint16) * 100) if mode == "I;16" else colour.convert(mode)
        save(f"{mode.replace(';', '')}.png", picture, format="PNG")
    frames = [colour.rotate(angle) for angle in (30, 60)]
    save("frames.png", colour, format="PNG", save_all=True, append_images=frames)
    save("frames.gif", colour, format="GIF", save_all=True, append_images=frames)
    for kind in ("BMP", "WEBP", "PPM", "AVIF"):
        save(f"rgb.{kind.lower()}", colour, format=kind)
    save("rgba.webp", colour.convert("RGBA"), format="WEBP", lossless=True)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        save(f"{compression}.tiff", colour, format="TIFF", compression=compression)
    for dtype in ("uint16", "int16", "float32", "float64"):
        buffer = io.BytesIO()
        scale = 1 / wide.max() if dtype.startswith("float") else 50
        tifffile.imwrite(buffer, (wide * scale).astype(dtype), photometric="minisblack")
        files[f"{dtype}.tiff"] = buffer.getvalue()
    buffer = io.BytesIO()
    pillow_heif.from_pillow(colour).save(buffer)
    files["rgb.heic"] = buffer.getvalue()
    return files


def fuzz_images(count: int, seed: int, folder: Path) -> Outcome:
    """Decode so many damaged images with each decoder, then ingest all of them from a folder.

    Args:
        count: of images.
        seed: of the damage.
        folder: empty, to work in.
    """
    found = Outcome()
    sound = sorted(sound_images().items())
    for name, data in sound:
        found.require(
            name, all(_decodes(found, f"sound {name}", data, each) for each in DECODERS), "a sound image is refused"
        )
    for number in range(count):
        random = Random(f"{seed} {number}")
        name, data = sound[number % len(sound)]
        mutant = mutate_bytes(data, random)
        taken = {each: _decodes(found, f"image {number} ({name}, {each})", mutant, each) for each in DECODERS}
        found.require(
            f"image {number} ({name})", len(set(taken.values())) == 1, f"taken by some decoders only: {taken}"
        )
        target = folder / "images" / "ab"[number % 2] / f"{number:05}-{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(mutant)
    before = hashes(folder / "images")
    counts: list[int] = []
    if found.attempt("ingest of all", lambda: counts.extend(ingest_whole(folder / "images", folder / "root"))):
        found.require("ingest of all", sum(counts) == count, f"{count} files became {counts}")
    found.require("ingest of all", hashes(folder / "images") == before, "a file of the source was changed")
    return found


def _decodes(found: Outcome, name: str, data: bytes, decoder: str) -> bool:
    pictures: list[Decoded] = []
    if found.attempt(name, lambda: pictures.append(decode(data, decoder, least_side=16, depth=DEPTH)), UnreadableImage):
        pixels = pictures[0].pixels
        found.require(
            name, pixels.ndim == 3 and pixels.shape[2] in (1, 3) and pixels.size > 0, f"an array {pixels.shape}"
        )
    return bool(pictures)
