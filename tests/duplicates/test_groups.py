"""Groups and copies: what shows the same picture, or the user groups, is together; nothing else is, and nothing is lost."""

import hashlib

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from darkroom.duplicates.groups import find_copies, group_images, join_copies

ROWS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["u", "v", None, None])), min_size=1, max_size=20
)


def named(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_of(rows: list[tuple[str, str | None]], paths: list[str] | None = None) -> pd.DataFrame:
    """Contents and the user's groups; a path for each."""
    return pd.DataFrame(
        {
            "id": [f"{number:016x}" for number in range(len(rows))],
            "sha256": [named(content) for content, _ in rows],
            "path": paths or [f"{number:03d}.png" for number in range(len(rows))],
            "group": pd.array([group for _, group in rows], dtype="str"),
        }
    )


def groups_of(manifest: pd.DataFrame, pairs: list[tuple[int, int]]) -> list[str]:
    copies = join_copies(manifest["sha256"], np.array(pairs, np.int64).reshape(-1, 2))
    groups = group_images(manifest, copies)
    assert groups["id"].tolist() == manifest["id"].tolist()
    return groups["group"].tolist()


@given(ROWS, st.data())
def test_groups_are_what_links_reach(rows: list[tuple[str, str | None]], data: st.DataObject) -> None:
    row = st.integers(0, len(rows) - 1)
    pairs = data.draw(st.lists(st.tuples(row, row), max_size=8))
    manifest = manifest_of(rows)
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
    found = groups_of(manifest, pairs)
    for one in range(len(rows)):
        for other in range(one):
            assert (found[one] == found[other]) == (reached[one] == reached[other])
    for number in range(len(rows)):
        members = [row for row in range(len(rows)) if reached[row] == reached[number]]
        users = [rows[row][1] for row in members if rows[row][1] is not None]
        assert found[number] == (named(f"group\0{users[0]}") if users else named(rows[members[0]][0]))


def test_the_lead_is_the_first_path_without_its_suffix() -> None:
    manifest = manifest_of([("a", None), ("b", None)], ["x/1.png", "x/1-small.jpg"])
    # `x/1` comes before `x/1-small`, though `x/1-small.jpg` comes before `x/1.png`.
    assert groups_of(manifest, [(0, 1)]) == [named("a")] * 2


def test_a_folder_with_a_dot_is_no_suffix() -> None:
    manifest = manifest_of([("a", None), ("b", None)], ["x.2/b", "x.1/c"])
    assert groups_of(manifest, [(0, 1)]) == [named("b")] * 2


NO_PAIRS = np.empty((0, 2), np.int64)
# A few contents under a few labels, so that copies and contradictions are frequent.
MANIFESTS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["cat", "dog", "owl"])), min_size=1, max_size=30
).map(
    lambda rows: pd.DataFrame(
        {
            "sha256": [content * 64 for content, _ in rows],
            "path": [f"{label}/{number:03d}.png" for number, (_, label) in enumerate(rows)],
            "label": [label for _, label in rows],
        },
        dtype=str,
    )
)


@given(MANIFESTS)
def test_copies_hold_every_repeated_image_once_and_no_other(manifest: pd.DataFrame) -> None:
    copies = find_copies(manifest, join_copies(manifest["sha256"], NO_PAIRS))
    listed = [path for one in copies for path in one.paths]
    counts = manifest["sha256"].value_counts()
    repeated = [path for path, sha in zip(manifest["path"], manifest["sha256"], strict=True) if counts[sha] > 1]
    assert sorted(listed) == sorted(repeated)
    assert [one.paths[0] for one in copies] == sorted(one.paths[0] for one in copies)
    label_of = dict(zip(manifest["path"], manifest["label"], strict=True))
    for one in copies:
        assert one.labels == tuple(label_of[path] for path in one.paths)
        assert one.paths == tuple(manifest["path"].iloc[list(one.rows)])
        assert one.conflicting == (len(set(one.labels)) > 1) and one.exact


def test_a_pair_joins_files_of_different_bytes_as_near_copies() -> None:
    manifest = pd.DataFrame(
        {"sha256": ["a", "b", "c"], "path": ["cat/1", "dog/2", "dog/3"], "label": ["cat", "dog", "dog"]}
    )
    (found,) = find_copies(manifest, join_copies(manifest["sha256"], np.array([[0, 2]])))
    assert found.text == "cat/1 (cat) ≈ dog/3 (dog)" and found.conflicting and not found.exact


def test_the_text_of_a_large_set_has_the_labels_that_contradict() -> None:
    paths = [f"car/{number}" for number in range(70)] + ["cat/0"]
    manifest = pd.DataFrame({"sha256": ["a"] * 71, "path": paths, "label": ["car"] * 70 + ["cat"]})
    (found,) = find_copies(manifest, join_copies(manifest["sha256"], NO_PAIRS))
    assert found.text == "car/0 (car) = car/1 (car) = car/10 (car) = cat/0 (cat) and 67 more"
