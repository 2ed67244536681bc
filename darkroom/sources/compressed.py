"""What compressed files unfold to, by their first bytes: gzip, bzip2, xz and Zstandard."""

import bz2
import gzip
import lzma
import zlib
from typing import IO, Any

import zstandard

UNFOLDING_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


def open_unpacked(file: IO[bytes]) -> tuple[Any, bool]:
    """What a file, open at its start, unfolds to, by its first bytes; and whether it is compressed at all."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file), True
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file), True
    if start.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file), True
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True), True
    return file, False
