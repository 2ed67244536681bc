"""Files that hold other than 8 bits a value: which they are, and the values of PNG, PPM, PFM and JPEG 2000."""

import re

import cv2
import numpy as np

from darkroom.images.pillow_decoder import UnreadableImage, exif_orientation, open_head, require_size
from darkroom.images.samples import Samples, make_samples

TIFF = (b"II*\0", b"MM\0*", b"II+\0")
PNG = b"\x89PNG"
PFM = re.compile(rb"P([Ff])\s+(\d+)\s+(\d+)\s+([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s")
CODESTREAM = b"\xff\x4f\xff\x51"  # JPEG 2000: start, and the marker of the size
PPM = re.compile(rb"P([2356])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")


def read_samples(data: bytes) -> Samples | None:
    """The values of a TIFF, PNG, PPM, PFM or JPEG 2000 file that holds other than 8 bits a value; None for all other files.

    Args:
        data: the whole file.

    Raises:
        UnreadableImage: when it is damaged, or holds what can't be told to be grey or RGB.
    """
    if data[:4] in TIFF:
        # Imported here: most data sets have no such file, and it takes 0.1 s.
        from darkroom.images.tiff import read_tiff

        return read_tiff(data)
    if data[:4] == PNG and data[24:25] == b"\x10":
        return _read_png(data)
    if data[:2] in (b"P5", b"P6"):
        return _read_ppm(data)
    if data[:2] in (b"P2", b"P3") and (found := PPM.match(data)) and int(found[4]) > 255:
        raise UnreadableImage(f"a PPM written as text, with values up to {int(found[4]):,}: save it in binary form")
    if PFM.match(data):
        return _read_pfm(data)
    if data[:4] == CODESTREAM or data[4:8] == b"jP  ":
        return _read_jpeg2000(data)
    return None


def _read_png(data: bytes) -> Samples:
    import imagecodecs

    require_size(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    values = np.atleast_3d(imagecodecs.png_decode(data))
    # The chunk that gives the bits which count; it is before the pixels, and short.
    place = data.find(b"sBIT", 0, 1 << 16)
    bits = data[place + 4] if 0 < place < data.find(b"IDAT") else 16
    head = open_head(data)
    return make_samples(
        values,
        3 if values.shape[2] > 2 else 1,
        "uint16",
        (0.0, 2.0**bits - 1) if 8 <= bits < 16 else None,
        "PNG",
        frames=getattr(head, "n_frames", 1),
        orientation=1 if head is None else exif_orientation(head),
    )


def _read_ppm(data: bytes) -> Samples | None:
    found = PPM.match(data)
    if found is None or int(found[4]) < 256:
        return None
    channels, width, height, most = (3 if found[1] == b"6" else 1), int(found[2]), int(found[3]), int(found[4])
    require_size(width, height)
    if len(data) < found.end() + 2 * channels * width * height:
        raise UnreadableImage("damaged: the file is cut short")
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    values = np.atleast_3d(np.asarray(values))[..., ::-1]
    return make_samples(values, channels, "uint16", (0.0, float(most)), "PPM")


def _read_pfm(data: bytes) -> Samples:
    """A portable float map; the absolute value of its scale is a unit that no program agrees on, and not read."""
    found = PFM.match(data)
    assert found is not None
    channels, width, height, scale = (3 if found[1] == b"F" else 1), int(found[2]), int(found[3]), float(found[4])
    require_size(width, height)
    count = channels * width * height
    if len(data) < found.end() + 4 * count:
        raise UnreadableImage("damaged: the file is cut short")
    values = np.frombuffer(data, "<f4" if scale < 0 else ">f4", count, found.end())
    values = values.reshape(height, width, channels)[::-1].astype(np.float32)
    return make_samples(values, channels, "float", None, "PFM")


def _read_jpeg2000(data: bytes) -> Samples | None:
    place = data.find(CODESTREAM)
    # The byte has the bits of the first channel less one, and above them whether they are signed (ISO 15444-1, A.5.1).
    coded = data[place + 42] if place >= 0 and place + 42 < len(data) else 7
    bits, signed = (coded & 0x7F) + 1, coded > 0x7F
    head = open_head(data)
    if head is None or (bits <= 8 and not signed):
        return None
    import imagecodecs

    require_size(*head.size)
    values = np.atleast_3d(imagecodecs.jpeg2k_decode(data))
    if values.shape[2] > 4:
        raise UnreadableImage(f"{values.shape[2]} channels: only pictures in grey and RGB can be read")
    kind = f"{'' if signed else 'u'}int{bits}"
    return make_samples(values, 3 if values.shape[2] > 2 else 1, kind, None, "JPEG2000")
