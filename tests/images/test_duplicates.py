"""Copies: every file with the same bytes in one group, none lost, contradictions known."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from darkroom.images.duplicates import find_copies, group_exact

# A few contents under a few labels, so that copies and contradictions are frequent.
MANIFESTS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["cat", "dog", "owl"])), max_size=30).map(
    lambda rows: pd.DataFrame(
        {
            "id": [f"{number:016x}" for number in range(len(rows))],
            "sha256": [content * 64 for content, _ in rows],
            "path": [f"{label}/{number:03d}.png" for number, (_, label) in enumerate(rows)],
            "label": [label for _, label in rows],
        },
        dtype=str,
    )
)


@given(MANIFESTS)
def test_groups_are_the_contents_row_for_row(manifest: pd.DataFrame) -> None:
    groups = group_exact(manifest)
    assert list(groups["id"]) == list(manifest["id"])
    for (group_a, content_a), (group_b, content_b) in zip(
        zip(groups["group"], manifest["sha256"], strict=True),
        zip(groups["group"][::-1], manifest["sha256"][::-1], strict=True),
        strict=True,
    ):
        assert (group_a == group_b) == (content_a == content_b)


@given(MANIFESTS)
def test_copies_hold_every_repeated_image_once_and_no_other(manifest: pd.DataFrame) -> None:
    copies = find_copies(manifest, group_exact(manifest))
    listed = [path for group in copies for path in group.paths]
    counts = manifest["sha256"].value_counts()
    repeated = [path for path, sha in zip(manifest["path"], manifest["sha256"], strict=True) if counts[sha] > 1]
    assert sorted(listed) == sorted(repeated)
    assert [group.paths[0] for group in copies] == sorted(group.paths[0] for group in copies)
    label_of = dict(zip(manifest["path"], manifest["label"], strict=True))
    for group in copies:
        assert group.labels == tuple(label_of[path] for path in group.paths)
        assert group.conflicting == (len(set(group.labels)) > 1)
