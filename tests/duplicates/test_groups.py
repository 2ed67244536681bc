"""Groups and copies: what shows the same picture, or the user groups, is together; nothing else is, and nothing is lost."""

import hashlib

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from darkroom.duplicates.copies import CopiesTable, copies_table
from darkroom.duplicates.groups import Copies, Sets, group_images, join_copies
from darkroom.runtime.arrays import Int64s

# Contents and the user's groups.
ROWS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["u", "v", None, None])), min_size=1, max_size=20
)


def named(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def joined_copies(contents: list[str], pairs: list[tuple[int, int]], bits: int = 64) -> Sets:
    """Sets of images with these contents; of the hashes so many bits are compared first."""
    whole = pa.array([named(content) for content in contents], pa.binary(32))
    short = np.array([int.from_bytes(named(content)[:8], "big") >> (64 - bits) for content in contents], np.uint64)
    return join_copies(short, lambda rows: whole.take(pa.array(rows)), np.array(pairs, np.int64).reshape(-1, 2))


def groups_of(
    rows: list[tuple[str, str | None]], pairs: list[tuple[int, int]], paths: list[str] | None = None
) -> list[bytes]:
    """The name of each row's group."""
    paths = paths or [f"{number:03d}.png" for number in range(len(rows))]
    given = [row for row, (_, group) in enumerate(rows) if group is not None]
    names = pa.array([named(f"group\0{rows[row][1]}") for row in given], pa.binary(32))

    def some_paths(chosen: Int64s) -> list[str]:
        return [paths[row] for row in chosen]

    sets = joined_copies([content for content, _ in rows], pairs, bits=2)
    groups = group_images(sets, np.array(given, np.int64), names, some_paths)
    found = [named(content) for content, _ in rows]
    for row, name in zip(groups.rows, groups.names.to_pylist(), strict=True):
        found[row] = name
    assert groups.largest == max(found.count(name) for name in found)
    return found


@given(ROWS, st.data())
def test_groups_are_what_links_reach(rows: list[tuple[str, str | None]], data: st.DataObject) -> None:
    row = st.integers(0, len(rows) - 1)
    pairs = data.draw(st.lists(st.tuples(row, row), max_size=8))
    # The same by hand: joined until nothing changes.
    reached = list(range(len(rows)))
    links = pairs + [
        (one, other)
        for one in range(len(rows))
        for other in range(one)
        if rows[one][0] == rows[other][0] or (rows[one][1] is not None and rows[one][1] == rows[other][1])
    ]
    for _ in rows:
        for one, other in links:
            reached[one] = reached[other] = min(reached[one], reached[other])
    found = groups_of(rows, pairs)
    for one in range(len(rows)):
        for other in range(one):
            assert (found[one] == found[other]) == (reached[one] == reached[other])
    for number in range(len(rows)):
        members = [row for row in range(len(rows)) if reached[row] == reached[number]]
        users = [rows[row][1] for row in members if rows[row][1] is not None]
        assert found[number] == (named(f"group\0{users[0]}") if users else named(rows[members[0]][0]))


def test_the_lead_is_the_first_path_without_its_suffix() -> None:
    # `x/1` comes before `x/1-small`, though `x/1-small.jpg` comes before `x/1.png`.
    assert groups_of([("b", None), ("a", None)], [(0, 1)], ["x/1-small.jpg", "x/1.png"]) == [named("a")] * 2


def test_a_folder_with_a_dot_is_no_suffix() -> None:
    assert groups_of([("b", None), ("a", None)], [(0, 1)], ["x.1/c", "x.2/b"]) == [named("b")] * 2


def copies_of(rows: list[tuple[str, str, str]], pairs: list[tuple[int, int]], bits: int = 64) -> CopiesTable:
    """The sets of images with content, path and label, sorted by path."""
    sets = joined_copies([content for content, _, _ in rows], pairs, bits)
    texts = [pa.array([rows[row][place] for row in sets.rows], pa.string()) for place in (1, 2)]
    return copies_table(sets, *texts)


# A few contents under a few labels, so that copies and contradictions are frequent.
MANIFESTS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["cat", "dog"])), min_size=1, max_size=30)


@given(MANIFESTS, st.sampled_from([0, 1, 64]))
def test_copies_hold_every_repeated_image_once_and_no_other(images: list[tuple[str, str]], bits: int) -> None:
    rows = [(content, f"{number:03d}.png", label) for number, (content, label) in enumerate(images)]
    found = copies_of(rows, [], bits)
    listed = [path for one in range(len(found)) for path in found[one].paths]
    contents = [content for content, _, _ in rows]
    assert sorted(listed) == [path for content, path, _ in rows if contents.count(content) > 1]
    assert listed == found.table["path"].to_pylist() and found.lengths.sum() == len(listed)
    firsts = [found[one].paths[0] for one in range(len(found))]
    assert (
        firsts == sorted(firsts)
        and found.table["set"].to_pylist() == np.repeat(np.arange(len(found)), found.lengths).tolist()
    )
    label_of = {path: label for _, path, label in rows}
    for number in range(len(found)):
        one = found[number]
        assert one.labels == tuple(label_of[path] for path in one.paths) and list(one.paths) == sorted(one.paths)
        assert one.conflicting == (len(set(one.labels)) > 1) == found.conflicting[number]
        assert one.exact and found.exact[number]


def test_a_pair_joins_files_of_different_bytes_as_near_copies() -> None:
    found = copies_of([("a", "cat/1", "cat"), ("b", "dog/2", "dog"), ("c", "dog/3", "dog")], [(0, 2)])
    (one,) = found.some([0])
    assert one.text == "cat/1 (cat) ≈ dog/3 (dog)" and one.conflicting and not one.exact and len(found) == 1


def test_the_text_of_a_large_set_has_the_labels_that_contradict() -> None:
    paths = (*(f"car/{number}" for number in range(70)), "cat/0")
    found = Copies(paths, ("car",) * 70 + ("cat",), True)
    assert found.text == "car/0 (car) = car/1 (car) = car/2 (car) = cat/0 (cat) and 67 more"
