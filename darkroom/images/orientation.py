"""The orientation of a JPEG, read from its first bytes, where these tell it plainly.

Pillow reads the whole EXIF block with all it holds: 60 µs where decoding the picture takes 60 (photographs of 100 pixels).
"""

import struct

ORIENTATION = 0x0112
SHORT = 3


def orientation_of_jpeg(data: bytes) -> int | None:
    """1 to 8 (TIFF 6.0, page 36), 1 where the file says nothing of it; None where it takes more reading than is done here."""
    position = 2
    while position + 10 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xDA:
            return 1
        if marker == 0xFF or length < 2:
            return None
        if marker == 0xE1:
            # Another block of this kind may be XMP, which can tell an orientation too.
            return _in_exif(data[position + 4 : position + 2 + length])
        position += 2 + length
    return None


def _in_exif(block: bytes) -> int | None:
    """What the first directory of an EXIF block says; None where it says nothing, or this is no such block."""
    order = {b"Exif\0\0II*\0": "<", b"Exif\0\0MM\0*": ">"}.get(block[:10])
    if order is None:
        return None
    tiff = block[6:]
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(count):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if tag == ORIENTATION:
                return value if kind == SHORT and values == 1 and 1 <= value <= 8 else None
    except struct.error:
        return None
    return None
