"""Pairs that may be near-copies: nearest neighbours of descriptors, found with faiss and sieved by tangent distance."""

import faiss
import numpy as np
import numpy.typing as npt
from faiss.contrib.ivf_tools import add_preassigned, search_preassigned

from darkroom.images.descriptors import LENGTH, SCALE, describe, tangents
from darkroom.seeding import uniform_per_image

Pairs = npt.NDArray[np.int64]
Thumbnails = npt.NDArray[np.uint8]

# Neighbours looked at for each picture, and the rank whose distance tells how crowded it is around the picture: pictures that
# all look alike have near neighbours without being copies. A set of up to 16 copies of one picture is no crowd.
LOOKED_AT, CROWD = 12, 16
# Up to this many pictures are compared with all; more are divided into cells, of which the nearest few are searched.
EXACT, CELLS_SEARCHED = 8_192, 24
# Squared distance of descriptors, tangent distance, and its share of the distance of the crowd, at most. Of CIFAR-10's crops
# 99% have at most 0.16, 0.03 and 0.1; of those that lost 3 pixels of 32 on two sides 95% have at most 0.31, 0.08 and 0.28.
FARTHEST, MOST_TANGENT, MOST_OF_CROWD = 0.5, 0.12, 0.25
# Where the crowd is closer than this the share falls with its distance, and with it the crops that are found: in Fashion-MNIST,
# where it is at 0.03, a sixth of the pairs is left to confirm, and 34% of the crops are found in place of 38%.
CLOSE = 0.06
# What differs by less is passed however close the crowd is: frames of a camera that stands still.
NEARLY_EQUAL_TANGENT = 0.001
# Rows at a time: what is worked on stays in the processor's cache.
BATCH = 1024


def candidates(thumbnails: Thumbnails) -> tuple[Pairs, npt.NDArray[np.float32]]:
    """Pairs of near neighbours, each once, whose tangent distance is small.

    Args:
        thumbnails: uint8 [N, 32, 32], none of them blank.

    Returns:
        Rows, int64 [P, 2], the smaller first, and the smaller of the two distances of their crowds, float32 [P], infinite where
        there are too few pictures to tell.
    """
    found = describe(thumbnails)
    if len(found) < 2:
        return np.empty((0, 2), np.int64), np.empty(0, np.float32)
    distances, neighbours = _neighbours(found, min(CROWD + 1, len(found)))
    # Among a few pictures nobody can tell what is crowded.
    crowd = distances[:, -1] / SCALE**2 if len(found) > CROWD else np.full(len(found), np.inf, np.float32)
    looked_at = neighbours[:, : LOOKED_AT + 1]
    one = np.repeat(np.arange(len(found)), looked_at.shape[1])
    other = looked_at.ravel()
    # In a cell with few pictures there may be fewer neighbours than asked for.
    there = (other >= 0) & (other != one) & (distances[:, : LOOKED_AT + 1].ravel() <= FARTHEST * SCALE**2)
    pairs = np.stack([np.minimum(one, other)[there], np.maximum(one, other)[there]], 1)
    codes = np.sort(pairs[:, 0] * len(found) + pairs[:, 1])
    codes = codes[np.diff(codes, prepend=-1) > 0]
    pairs = np.stack([codes // len(found), codes % len(found)], 1)
    crowd = np.minimum(crowd[pairs[:, 0]], crowd[pairs[:, 1]])
    kept = []
    # Pairs are sorted by their first row, so that the directions of each row are worked out once.
    for start in range(0, len(found), BATCH):
        low, high = np.searchsorted(pairs[:, 0], [start, start + BATCH])
        directions = tangents(thumbnails[start : start + BATCH])
        part = pairs[low:high]
        apart = (found[part[:, 0]] - found[part[:, 1]]) / SCALE
        along = np.einsum("nkc,nc->nk", directions[part[:, 0] - start], apart)
        left = (apart * apart).sum(1) - (along * along).sum(1)
        near = crowd[low:high]
        most = np.maximum(MOST_OF_CROWD * near * np.minimum(near / CLOSE, 1), NEARLY_EQUAL_TANGENT)
        kept.append(left <= np.minimum(most, MOST_TANGENT))
    passed = np.concatenate(kept)
    return pairs[passed], crowd[passed]


def _lowest(found: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """The rows whose numbers have the lowest hashes, in order; equal rows have equal hashes."""
    odd = np.random.default_rng(0).integers(0, 2**62, found.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    keys = (found.astype(np.int64).view(np.uint64) * odd).sum(1)
    return np.sort(np.argsort(uniform_per_image(keys, "cells"), kind="stable")[:count])


def _neighbours(found: npt.NDArray[np.float32], count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Squared distances and rows of the nearest, nearest first, [N, count]; -1 where a row has fewer."""
    # Eight numbers at a time is what faiss is fast with.
    padded = np.pad(found, ((0, 0), (0, -LENGTH % 8)))
    flat = faiss.IndexFlatL2(padded.shape[1])
    if len(found) <= EXACT:
        flat.add(padded)
        distances, neighbours = flat.search(padded, count)
        return distances, neighbours
    # The middles of the cells are rows whose numbers hash low: nothing is trained, and of 1,024 middles 1% new images
    # replace some ten. With rows evenly spaced, 600 images added to CIFAR-10 changed 17 of the 880 groups of the others.
    cells = 2 ** round(np.log2(4 * np.sqrt(len(padded))))
    flat.add(padded[_lowest(found, cells)])
    from_cells, nearest_cells = flat.search(padded, CELLS_SEARCHED)
    index = faiss.IndexIVFScalarQuantizer(
        flat, padded.shape[1], cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2, False
    )
    index.is_trained, index.nprobe = True, CELLS_SEARCHED
    add_preassigned(index, padded, np.ascontiguousarray(nearest_cells[:, 0]))
    distances, neighbours = search_preassigned(index, padded, count, nearest_cells, from_cells)
    return distances, neighbours
