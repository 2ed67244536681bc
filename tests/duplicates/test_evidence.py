"""How much there is in a picture to tell copies by."""

import numpy as np

from darkroom.duplicates.evidence import Measures, detailed_cells, measure
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
    one, others, sides = thumbnails[[0, 0]], thumbnails[1:], np.full(2, 64, np.int32)
    measures = Measures(measure(one, others, sides))
    by_levels, by_move = measures.nearly_equal(1.0)
    assert by_levels.tolist() == [True, False] and by_move.tolist() == [True, False]
    assert measures.nearly_equal(5.0)[1].tolist() == [True, True]


def test_a_pair_has_the_same_measures_whatever_is_measured_beside_it() -> None:
    random = np.random.default_rng(0)
    ones = random.integers(0, 256, (150, 8, 8), np.uint8).repeat(4, 1).repeat(4, 2)
    others = np.clip(ones + random.normal(0, 9, ones.shape), 0, 255).astype(np.uint8)
    sides = random.integers(16, 40, 150).astype(np.int32)
    together = measure(ones, others, sides)
    for some in ([3], [5, 140], range(100, 150)):
        assert np.array_equal(measure(ones[some], others[some], sides[some]), together[some])
