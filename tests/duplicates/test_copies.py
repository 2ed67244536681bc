"""Copies: every file with the same bytes in one set, none lost, contradictions known."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from darkroom.duplicates.groups import find_copies, join_copies

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
