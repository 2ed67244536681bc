"""Ranges and chunks end by their neighbourhood, so that a new image moves few ends."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.cuts import WINDOW, key_ends, path_keys, range_ends, range_name

# Few numbers, so that equal keys are frequent.
KEYS = st.lists(st.integers(0, 40), max_size=60)
DISTINCT = st.lists(st.integers(0, 1 << 40), unique=True, max_size=80)
WINDOWS = st.integers(1, 6)


def test_cuts_depend_on_the_neighbouring_paths_alone() -> None:
    paths = [f"class/{number:06}.jpg" for number in range(60_000)]
    ends = range_ends(paths)
    lengths = np.diff([0, *ends])
    assert ends[-1] == len(paths) and 4 <= len(ends) <= 11 and lengths[1:-1].min() > WINDOW
    grown = [*paths[:30_000], "class/029999a.jpg", *paths[30_000:]]
    moved = {paths[end - 1] for end in ends} ^ {grown[end - 1] for end in range_ends(grown)}
    assert len(moved) <= 2
    assert range_ends(paths[:100]) == [100] and range_ends([]) == []


def chunk_ends(keys: list[int], window: int) -> list[int]:
    return key_ends(np.array(keys, np.uint64), window)


def test_a_range_is_named_by_the_key_of_its_first_path() -> None:
    assert [f"{key:016x}" for key in path_keys(["a", "ä"]).tolist()] == [range_name("a"), range_name("ä")]


@given(KEYS, WINDOWS)
def test_ends_are_the_keys_that_are_smaller_than_all_around_them(keys: list[int], window: int) -> None:
    ends = []
    for position, key in enumerate(keys):
        after = keys[position + 1 : position + 1 + window]
        if len(after) == window and all(key < other for other in keys[max(0, position - window) : position]):
            ends += [position + 1] if all(key <= other for other in after) else []
    whole = ends if ends[-1:] == [len(keys)] or not keys else [*ends, len(keys)]
    assert chunk_ends(keys, window) == whole
    assert all(end - start > window for start, end in pairwise(whole[:-1]))


@given(DISTINCT, st.integers(0, 80), st.integers(0, 1 << 40), WINDOWS)
def test_an_insertion_moves_only_the_ends_near_it(keys: list[int], place: int, key: int, window: int) -> None:
    place = min(place, len(keys))
    before = {keys[end - 1] for end in chunk_ends(keys, window)[:-1]}
    grown = [*keys[:place], key, *keys[place:]]
    after = {grown[end - 1] for end in chunk_ends(grown, window)[:-1]}
    near = {key, *keys[max(0, place - window) : place + window]}
    # The list is a key longer, so that the key which now has `window` keys after it may end a chunk for the first time.
    near |= set(keys[-window - 1 :])
    assert before ^ after <= near
