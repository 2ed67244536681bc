"""Pairs that may be near-copies: nearest neighbours of descriptors, found with faiss and filtered by tangent distance."""

import faiss
import numpy as np
from faiss.contrib.ivf_tools import add_preassigned, search_preassigned

from darkroom.duplicates.descriptors import LENGTH, SCALE, describe, describe_corners, tangents
from darkroom.runtime.arrays import Bools, Float32s, Int64s, UInt8s
from darkroom.runtime.seeding import uniform_per_image

# Neighbours looked at for each picture, and the rank whose distance measures how crowded it is around it: pictures that
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
# What differs by less is passed however close the crowd is: frames of a fixed camera.
NEARLY_EQUAL_TANGENT = 0.001
# A picture of stripes or fine branches moves as far when it is cropped as others are apart, and then its crop is neither among
# its neighbours nor in the cells that are searched. Corner crops that move so far (of CIFAR-10 7%) are looked for themselves:
# of 6,000 crops of CIFAR-10's pictures 9 were missed without them.
FAR_CROP = 0.08
# Rows at a time: what is worked on stays in the processor's cache.
BATCH = 1024


def candidates(thumbnails: UInt8s) -> tuple[Int64s, Float32s]:
    """Pairs of near neighbours, each once, whose tangent distance is small.

    Args:
        thumbnails: uint8 [N, 32, 32], none of them blank.

    Returns:
        Rows, int64 [P, 2], the smaller first, and the distance of the crowd of each picture, float32 [N], infinite where there
        are too few pictures for a crowd.
    """
    found = describe(thumbnails)
    if len(found) < 2:
        return np.empty((0, 2), np.int64), np.full(len(found), np.inf, np.float32)
    queries, of = _queries(thumbnails, found)
    itself = np.diff(of, prepend=-1) > 0
    distances, neighbours = _neighbours(found, queries, itself, min(CROWD + 1, len(found)))
    # Among a few pictures there is no crowd.
    crowd = distances[itself, -1] / SCALE**2 if len(found) > CROWD else np.full(len(found), np.inf, np.float32)
    near_pairs = []
    for start in range(0, len(found), BATCH):
        part = slice(*np.searchsorted(of, [start, start + BATCH]))
        near = (part, slice(LOOKED_AT + 1))
        directions = tangents(thumbnails[start : start + BATCH])
        near_pairs.append(
            _filtered(found, crowd, directions, start, queries[part], of[part], distances[near], neighbours[near])
        )
    return np.unique(np.sort(np.concatenate(near_pairs), axis=1), axis=0), crowd


def _queries(thumbnails: UInt8s, found: Float32s) -> tuple[Float32s, Int64s]:
    """The queries: each picture, behind it those of its corner crops that are far from it; and the row that each belongs to."""
    crops, of = [], []
    for start in range(0, len(found), BATCH):
        corners = describe_corners(thumbnails[start : start + BATCH])
        moved = np.square(corners - found[start : start + BATCH, None]).sum(2)
        row, corner = np.nonzero(moved > FAR_CROP * SCALE**2)
        crops.append(corners[row, corner])
        of.append(row + start)
    rows = np.concatenate([np.arange(len(found)), *of])
    order = np.argsort(rows, kind="stable")
    return np.concatenate([found, *crops])[order], rows[order]


def _filtered(
    found: Float32s,
    crowd: Float32s,
    directions: Float32s,
    start: int,
    queries: Float32s,
    of: Int64s,
    distances: Float32s,
    neighbours: Int64s,
) -> Int64s:
    """The neighbours of a batch whose tangent distance is small, [P, 2], the row of the batch first."""
    # In a cell with few pictures there may be fewer neighbours than asked for.
    there = (neighbours >= 0) & (neighbours != of[:, None]) & (distances <= FARTHEST * SCALE**2)
    apart = (queries[:, None] - found[neighbours]) / np.float32(SCALE)
    along = apart @ directions[of - start].transpose(0, 2, 1)
    left = ((apart * apart).sum(2) - (along * along).sum(2))[there]
    one, other = np.repeat(of, there.sum(1)), neighbours[there]
    near = np.minimum(crowd[one], crowd[other])
    most = np.maximum(MOST_OF_CROWD * near * np.minimum(near / CLOSE, 1), NEARLY_EQUAL_TANGENT)
    passed = left <= np.minimum(most, MOST_TANGENT)
    return np.stack([one[passed], other[passed]], 1)


def _lowest(found: Float32s, count: int) -> Int64s:
    """The rows whose numbers have the lowest hashes, in order; equal rows have equal hashes."""
    odd = np.random.default_rng(0).integers(0, 2**62, found.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    keys = (found.astype(np.int64).view(np.uint64) * odd).sum(1)
    return np.sort(np.argsort(uniform_per_image(keys, "cells"), kind="stable")[:count])


def _neighbours(found: Float32s, queries: Float32s, itself: Bools, count: int) -> tuple[Float32s, Int64s]:
    """Squared distances and rows of those found nearest to each query, nearest first, [Q, count]; -1 where there are fewer."""
    # Eight numbers at a time is what faiss is fast with.
    padded, asked = (np.pad(part, ((0, 0), (0, -LENGTH % 8))) for part in (found, queries))
    flat = faiss.IndexFlatL2(padded.shape[1])
    if len(found) <= EXACT:
        flat.add(padded)
        distances, neighbours = flat.search(asked, count)
        return distances, neighbours
    # The middles of the cells are rows whose numbers hash low: nothing is trained, and of 1,024 middles 1% new images
    # replace some ten. With rows evenly spaced, 600 images added to CIFAR-10 changed 17 of the 880 groups of the others.
    cells = 2 ** round(np.log2(4 * np.sqrt(len(padded))))
    flat.add(padded[_lowest(found, cells)])
    from_cells, nearest_cells = flat.search(asked, CELLS_SEARCHED)
    index = faiss.IndexIVFScalarQuantizer(
        flat, padded.shape[1], cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2, False
    )
    index.is_trained, index.nprobe = True, CELLS_SEARCHED
    add_preassigned(index, padded, np.ascontiguousarray(nearest_cells[itself, 0]))
    distances, neighbours = search_preassigned(index, asked, count, nearest_cells, from_cells)
    return distances, neighbours
