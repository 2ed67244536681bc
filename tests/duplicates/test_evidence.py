"""How much there is in a picture to tell copies by."""

import numpy as np

from darkroom.duplicates.evidence import Pictures, detailed_cells
from darkroom.runtime.arrays import UInt8s


def test_detail_is_counted_in_cells() -> None:
    everywhere = np.tile(np.array([[0, 200], [200, 0]], np.uint8).repeat(2, 0).repeat(2, 1), (8, 8))
    corner = np.full((32, 32), 200, np.uint8)
    corner[:4, :4] = everywhere[:4, :4]
    found = detailed_cells(np.stack([everywhere, corner, np.full((32, 32), 9, np.uint8)]))
    # Cells at the edge differ a little, since the edge is repeated; the blur of one cell reaches its neighbours.
    assert 62 < found[0] <= 64 and 1 < found[1] < 4 and found[2] == 0


def test_nearly_equal_is_a_small_part_of_a_pixel() -> None:
    place = np.arange(32)

    def edge(at: float) -> UInt8s:
        return np.tile(np.clip(40 * (place - at) + 100, 0, 200).round().astype(np.uint8), (32, 1))

    thumbnails = np.stack([edge(16), edge(16.07), edge(16.3)])
    pictures = Pictures(thumbnails, np.full(3, 64, np.int32), np.full(3, np.inf, np.float32))
    first, second = np.array([0, 0]), np.array([1, 2])
    by_levels, by_move = pictures.nearly_equal(first, second, 1.0)
    assert by_levels.tolist() == [True, False] and by_move.tolist() == [True, False]
    assert pictures.nearly_equal(first, second, 5.0)[1].tolist() == [True, True]
