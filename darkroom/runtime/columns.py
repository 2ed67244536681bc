"""Columns of text that are longer than 32-bit offsets reach: 33.5 million SHA-256 in hex are 2 GiB."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import UInt64s

# What the 32-bit offsets of pyarrow's `string` reach; those of `large_string` have 64.
REACH = 2**31 - 1


def addressable(table: pa.Table) -> pa.Table:
    """A table whose long columns of text are `large_string`; the others stay `string`.

    pyarrow joins the chunks of a column to sort a table, to take rows of it and to combine it, and fails beyond the reach.
    """
    for position, field in enumerate(table.schema):
        column = table.column(position)
        if pa.types.is_string(field.type) and column.nbytes > REACH:
            table = table.set_column(position, field.with_type(pa.large_string()), column.cast(pa.large_string()))
    return table


def update_with_text(digest: "hashlib._Hash", column: pa.ChunkedArray) -> None:
    """Add a column of `string` to a hash, without an object for each value; other chunks of the same may give another hash."""
    for chunk in column.chunks:
        valid, offsets, content = chunk.buffers()
        ends = np.frombuffer(offsets, np.int32, len(chunk) + 1, chunk.offset * 4)
        digest.update(np.diff(ends).tobytes())
        digest.update(memoryview(content or b"")[ends[0] : ends[-1]])
        if valid is not None:
            digest.update(chunk.is_valid().to_numpy(zero_copy_only=False).tobytes())


def leading_bits(hashes: pa.ChunkedArray | pa.Array) -> UInt64s:
    """The first 64 bits of hashes in hex, uint64 [N]; all of them have 16 digits or more."""
    return np.frombuffer(bytes.fromhex(hex_digits(hashes, 16).decode()), dtype=">u8").astype(np.uint64)


def hex_digits(hashes: pa.ChunkedArray | pa.Array, count: int) -> bytes:
    """The first digits of hashes in hex, one hash after the other; all of them have so many or more."""
    chunks = hashes.chunks if isinstance(hashes, pa.ChunkedArray) else [hashes]
    digits = (pc.utf8_slice_codeunits(chunk, 0, count).cast(pa.binary(count)) for chunk in chunks)
    return b"".join(chunk.buffers()[1].to_pybytes()[: count * len(chunk)] for chunk in digits if len(chunk))
