"""Descriptors: a thumbnail in a few numbers, how they move when the picture is cropped a little; and reading of thumbnails."""

from pathlib import Path

import numpy as np

from darkroom.images.cache import decoding_identity
from darkroom.images.decode import decode
from darkroom.images.manifest import ManifestRange, manifest_ranges, read_manifest_range
from darkroom.images.measure import MEASURED_SIDE, fingerprint
from darkroom.images.range_cache import range_thumbnails
from darkroom.images.shards import read_shards
from darkroom.model.depth import load_depth
from darkroom.runtime.arrays import Float32s, Float64s, Int64s, UInt8s

SIDE = 32
# The lowest frequencies, horizontal and vertical numbers adding up to at most this: 27 without the mean. Of CIFAR-10 pictures
# that lost 2 pixels of 32 on two sides, 99.4% have their original among the 8 nearest of 60,000, and 91% of those that lost 3;
# with 20 numbers 98.6% and 87%, with 35 99.4% and 93%. Weights by frequency and a window over the middle made it worse.
FREQUENCIES = 6
# Descriptors are whole numbers below 2,048: exact in float16, and sums of their products are exact in float32 in any order, so
# that every machine finds the same neighbours.
SCALE = 1024
# Weights are whole multiples of this, so that their products with grey levels, below 2^53 of it, are exact in any order, too:
# in float32 the place of a picture in a batch decided one number in ten thousand.
FRACTION = 2.0**-36
# Pixels of 32 that a corner crop loses on each axis: the middle of what a copy may have lost.
CUT = 1.5
BATCH = 1024


def _operators() -> tuple[Float64s, Float64s, Float64s]:
    """Linear maps from a standardised thumbnail, all with 1,024 rows: to its descriptor; to the four directions in which the
    descriptor moves when the picture is shifted or stretched, across and down; and to those of its crops at the four corners
    (4 x 27 columns each). Float64 of whole numbers, in units of `FRACTION`."""
    place = np.arange(SIDE)
    waves = np.cos(np.pi * (place + 0.5) * np.arange(FREQUENCIES + 1)[:, None] / SIDE) * np.sqrt(2 / SIDE)
    waves[0] /= np.sqrt(2)
    down, across = np.meshgrid(*[np.arange(FREQUENCIES + 1)] * 2, indexing="ij")
    low = (down + across <= FREQUENCIES) & (down + across > 0)
    basis = np.einsum("ui,vj->uvij", waves, waves)[low] / SIDE
    slope = np.asarray(np.gradient(np.eye(SIDE), 2 / SIDE, axis=0))
    centred = (place + 0.5) / SIDE * 2 - 1
    moved = [
        basis @ slope,
        (basis * centred) @ slope,
        slope.T @ basis,
        slope.T @ (basis * centred[:, None]),
    ]
    low, high = (
        np.stack([np.interp((place + 0.5) * (1 - CUT / SIDE) - 0.5 + start, place, pixel) for pixel in np.eye(SIDE)], 1)
        for start in (0, CUT)
    )
    cropped = [rows.T @ basis @ columns for rows in (low, high) for columns in (low, high)]
    maps = [
        np.round((weights - weights.mean(0)) / FRACTION)
        for part in (basis, np.concatenate(moved), np.concatenate(cropped))
        for weights in [part.reshape(-1, SIDE * SIDE).T]
    ]
    return maps[0], maps[1], maps[2]


DESCRIBE, MOVE, CROP = _operators()
LENGTH = DESCRIBE.shape[1]


def describe(thumbnails: UInt8s) -> Float32s:
    """Descriptors: the low frequencies of the cosine transform, of the thumbnail at mean 0 and deviation 1.

    Args:
        thumbnails: uint8 [N, 32, 32].

    Returns:
        float32 [N, 27] of whole numbers.
    """
    return np.round(_products(thumbnails, DESCRIBE) * SCALE).astype(np.float32)


def describe_corners(thumbnails: UInt8s) -> Float32s:
    """Descriptors of what each picture becomes when `CUT` pixels of 32 are cut off on each axis, at each of the four corners.

    Args:
        thumbnails: uint8 [n, 32, 32].

    Returns:
        float32 [n, 4, 27] of whole numbers.
    """
    return np.round(_products(thumbnails, CROP) * SCALE).astype(np.float32).reshape(-1, 4, LENGTH)


def tangents(thumbnails: UInt8s) -> Float32s:
    """An orthonormal basis of the directions in which each descriptor moves under small shifts and stretches.

    What is left of a difference outside these directions is the tangent distance (Simard, LeCun, Denker 1993, "Efficient
    pattern recognition using a new transformation distance").

    Args:
        thumbnails: uint8 [n, 32, 32].

    Returns:
        float32 [n, 4, 27].
    """
    directions = _products(thumbnails, MOVE).astype(np.float32).reshape(-1, 4, LENGTH)
    for index in range(4):
        one = directions[:, index]
        for other in range(index):
            one -= (one * directions[:, other]).sum(1, keepdims=True) * directions[:, other]
        one /= np.maximum(np.sqrt((one * one).sum(1, keepdims=True)), 1e-6)
    return directions


def _products(thumbnails: UInt8s, weights: Float64s) -> Float64s:
    """Products with the thumbnails at mean 0 and deviation 1, float64 [n, columns]; the mean is 0 through the weights."""
    values = thumbnails.reshape(len(thumbnails), SIDE * SIDE).astype(np.float64)
    sums, squares = values.sum(1), np.square(values).sum(1)
    variance = (squares - sums * sums / (SIDE * SIDE)) / (SIDE * SIDE)
    # Flatter than a grey level is noise: it is not blown up.
    return np.asarray(values @ weights * (FRACTION / np.sqrt(np.maximum(variance, 1)))[:, None])


class Thumbnails:
    """Thumbnails of the images of a manifest: of a range from the cache, or else from the shards; both are the same."""

    def __init__(self, ingest: Path, cache: Path, decoder: str) -> None:
        """Args:
        ingest: the folder that the ingest stage wrote.
        cache: the folder `.darkroom/cache`; it need not exist.
        decoder: that ingest used.
        """
        self._ingest, self._cache, self._decoder = ingest, cache, decoder
        self._depth = load_depth(ingest)
        self._ranges = manifest_ranges(ingest)
        self._starts = np.cumsum([0, *(each.images for each in self._ranges)])
        self._opened: tuple[int, UInt8s] = (-1, np.empty((0, SIDE, SIDE), np.uint8))

    @property
    def identity(self) -> str:
        """What decides the thumbnail of a file."""
        return f"{decoding_identity(self._decoder)} {self._depth}"

    def read(self, rows: Int64s) -> UInt8s:
        """Of some rows of the manifest, int64 [n]; quickest where they are in order, since one range is in memory.

        Returns:
            uint8 [n, 32, 32], grey, the whole picture stretched.
        """
        thumbnails = np.empty((len(rows), SIDE, SIDE), np.uint8)
        ranges = np.searchsorted(self._starts, rows, "right") - 1
        for number in np.unique(ranges).tolist():
            if self._opened[0] != number:
                self._opened = (number, self._range(self._ranges[number]))
            here = np.flatnonzero(ranges == number)
            thumbnails[here] = self._opened[1][rows[here] - self._starts[number]]
        return thumbnails

    def _range(self, part: ManifestRange) -> UInt8s:
        cached = range_thumbnails(self._cache, self._decoder, part)
        if cached is not None:
            return cached
        table = read_manifest_range(self._ingest, part.name, ["shard", "offset", "bytes"])
        places = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
        thumbnails = np.empty((len(table), SIDE, SIDE), np.uint8)
        for position, data in enumerate(read_shards(self._ingest / "shards", places)):
            decoded = decode(data, self._decoder, least_side=MEASURED_SIDE, grey=True, depth=self._depth)
            thumbnails[position] = fingerprint(decoded.pixels).thumbnail
        return thumbnails
