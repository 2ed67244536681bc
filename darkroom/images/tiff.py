"""TIFF files that hold other than 8 bits a value: whole numbers of any bits, floats, planes apart, white as zero."""

import io
import logging

import numpy as np
import tifffile
from PIL import TiffImagePlugin

from darkroom.images.pillow_decoder import (
    MAX_PIXELS,
    UnreadableImage,
    exif_orientation,
    open_head,
    refuse_damage,
    require_size,
)
from darkroom.images.samples import Samples, make_samples
from darkroom.model.depth import Scale

# Four channels of one byte: what the largest picture takes that is opened otherwise. Bytes.
MAX_BYTES = 4 * MAX_PIXELS
# TIFF 6.0 and its supplements.
SUBFILE, REDUCED = 254, 1
WIDTH, HEIGHT = 256, 257
BITS, PHOTOMETRIC, CHANNELS, FORMAT = 258, 262, 277, 339
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4

# It reports damage on the terminal, and the caller gets it anyway.
tifffile.logger().setLevel(logging.CRITICAL)


def _tiff_tags(data: bytes) -> TiffImagePlugin.ImageFileDirectory_v2 | None:
    """The tags of the first page; None where they are damaged, and Pillow gives the reason."""
    head = 16 if data[2:3] == b"+" else 8
    try:
        with refuse_damage():
            tags = TiffImagePlugin.ImageFileDirectory_v2(data[:head])
            file = io.BytesIO(data)
            file.seek(tags.next)
            tags.load(file)
            return tags
    except UnreadableImage:
        return None


def tiff_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of the first page, by its tags; None where they are damaged."""
    if (tags := _tiff_tags(data)) is None:
        return None
    sides = tags.get(WIDTH), tags.get(HEIGHT)
    return (sides[0], sides[1]) if isinstance(sides[0], int) and isinstance(sides[1], int) else None


def read_tiff(data: bytes) -> Samples | None:
    """The values of a TIFF that holds other than 8 bits a value; None for all others.

    Raises:
        UnreadableImage: when it is damaged, or holds what can't be told to be grey or RGB.
    """
    if (tags := _tiff_tags(data)) is None:
        return None
    if isinstance(kind := tags.get(SUBFILE, 0), int) and kind & REDUCED:
        raise UnreadableImage(
            "its first picture is a reduced one, a preview, as in raw files of cameras: save the full picture as its own TIFF"
        )
    bits, formats = tags.get(BITS, (1,)), tags.get(FORMAT, (UNSIGNED,))
    channels, photometric = tags.get(CHANNELS, 1), tags.get(PHOTOMETRIC)
    many = photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and channels > 2
    if set(bits) <= {1, 2, 4, 8} and set(formats) <= {UNSIGNED, UNDEFINED} and not many:
        return None
    if photometric == CMYK and set(bits) == {16}:
        return None  # Pillow keeps its upper 8 bits.
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        what = f"TIFF of {_describe_tiff(page)}"
        if page.photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) or page.imagedepth != 1:
            raise UnreadableImage(f"{what}: only pictures in grey and RGB can be read")
        colours = 3 if page.photometric == RGB else 1
        extra = tuple(int(one) for one in page.extrasamples)
        if page.samplesperpixel - colours > 1 or (page.samplesperpixel > colours and extra not in ((1,), (2,))):
            raise UnreadableImage(f"{what}: which channels are its colours can't be told; save it as grey or RGB")
        if (
            page.sampleformat not in (UNSIGNED, SIGNED, FLOAT, UNDEFINED)
            or page.dtype is None
            or page.dtype.kind not in "uif"
        ):
            raise UnreadableImage(f"{what}: only whole numbers and floating-point numbers can be read")
        require_size(page.imagewidth, page.imagelength)
        if (size := int(page.size) * page.dtype.itemsize) > MAX_BYTES:
            raise UnreadableImage(f"{size:,} bytes unpacked, more than {MAX_BYTES:,}")
        segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        # What is missing tifffile fills up with zeros.
        if not segments or any(not count or start + count > len(data) for start, count in segments):
            raise UnreadableImage("damaged: the file is cut short")
        values = page.asarray()
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            values = np.moveaxis(values, 0, -1)
        values = values.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
        kind = "float" if page.dtype.kind == "f" else f"{'u' if page.dtype.kind == 'u' else ''}int{page.bitspersample}"
        declared = _declared(page)
        head = open_head(data)
        return make_samples(
            values,
            colours,
            kind,
            declared,
            "TIFF",
            frames=len(file.pages),
            orientation=int(tags.get(274, 1)) if head is None else exif_orientation(head),
            inverted=page.photometric == WHITE_IS_ZERO,
            premultiplied=extra == (1,),
        )


def _describe_tiff(page: tifffile.TiffPage) -> str:
    photometric = getattr(page, "photometric", None)
    name = str(getattr(photometric, "name", photometric)).lower()
    return f"{page.samplesperpixel} channels ({name}) of {page.bitspersample} bits, {page.dtype}"


def _declared(page: tifffile.TiffPage) -> Scale | None:
    """Of SMinSampleValue and SMaxSampleValue, or MinSampleValue and MaxSampleValue."""
    for low, high in (("SMinSampleValue", "SMaxSampleValue"), ("MinSampleValue", "MaxSampleValue")):
        if high in page.tags:
            ends = [page.tags[name].value if name in page.tags else 0 for name in (low, high)]
            first = [float(end[0]) if isinstance(end, tuple) else float(end) for end in ends]
            return (first[0], first[1]) if first[0] < first[1] else None
    return None
