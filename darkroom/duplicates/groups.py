"""Groups: images that must be in one split, since they show the same picture or the user grouped them; and sets of copies."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.runtime.arrays import Int64s

# Images of a set that a line of text lists; reports have them all.
LISTED = 4


def join_copies(sha256: pd.Series, pairs: Int64s) -> Int64s:
    """Sets of copies: files with the same bytes, and what pairs of near-copies join, directly or through others.

    Args:
        sha256: of each image.
        pairs: int64 [P, 2], rows of near-copies.

    Returns:
        int64 [N], the number of each image's set.
    """
    return _joined(len(sha256), [pd.factorize(sha256)[0]], pairs)


def group_images(manifest: pd.DataFrame, copies: Int64s) -> pd.DataFrame:
    """Join the sets of copies and the user's groups, and give every group a name that does not depend on the others.

    A group leads with the member whose path without suffix comes first; its name is that one's SHA-256. Where members have a
    group of the user's, the first of these gives the name: the SHA-256 of `group`, a zero byte and the user's name for it.

    Args:
        manifest: `id`, `sha256`, `path`, `group` (the user's, or null).
        copies: of `join_copies`.

    Returns:
        `id`, `group`: a row for each row of the manifest, in its order; groups are 64 hex digits.
    """
    users = manifest["group"]
    given = users.notna().to_numpy(dtype=bool)
    # Images without a group of the user's are each in one of their own.
    numbers = np.arange(len(manifest)) + users.nunique()
    numbers[given] = pd.factorize(users[given])[0]
    groups = _joined(len(manifest), [copies, numbers], np.empty((0, 2), np.int64))
    names = manifest["sha256"].array.copy()
    # Most images are alone and give their own name.
    shared = np.flatnonzero((np.bincount(groups)[groups] > 1) | given)
    members = pd.DataFrame({"row": shared, "group": groups[shared], "given": given[shared]})
    paths = manifest["path"].iloc[shared]
    members["stem"] = paths.str.replace(r"(?<=[^/])\.[^./]*$", "", regex=True).array
    members["path"] = paths.array
    members = members.sort_values(["given", "stem", "path"], ascending=[False, True, True])
    leads = members.drop_duplicates("group")
    lead_names = pd.Series(names[leads["row"]], index=leads["group"])
    by_user = leads[leads["given"]]
    lead_names[by_user["group"]] = [
        hashlib.sha256(f"group\0{name}".encode()).hexdigest() for name in users.iloc[by_user["row"]]
    ]
    names[shared] = lead_names.reindex(groups[shared]).to_numpy()
    return pd.DataFrame({"id": manifest["id"].array, "group": names})


def _joined(count: int, numberings: list[Int64s], pairs: Int64s) -> Int64s:
    """Number the sets of `count` rows that share a number in one of the numberings, or a pair."""
    links = [pairs]
    for numbers in numberings:
        _, first, position = np.unique(numbers, return_index=True, return_inverse=True)
        links.append(np.stack([np.arange(count), first[position]], 1))
    one, other = np.concatenate(links).T
    # Here, since it takes a fifth of a second, and those who draw the pages import this module too.
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(one), np.int8), (one, other)), (count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


@dataclass(frozen=True)
class Copies:
    """Images that show one picture, when there are several.

    Attributes:
        rows: of the manifest, in the order of their paths.
        paths, labels: of each image.
        exact: whether all of them have the same bytes.
    """

    rows: tuple[int, ...]
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    exact: bool

    @property
    def conflicting(self) -> bool:
        """Whether the same picture has several labels, at most one of which can be correct."""
        return len(set(self.labels)) > 1

    @property
    def distinct_labels_first(self) -> list[int]:
        """Positions: the first image of each label, then the others."""
        firsts = {self.labels.index(label) for label in set(self.labels)}
        return sorted(firsts) + [position for position in range(len(self.rows)) if position not in firsts]

    @property
    def text(self) -> str:
        """The first few as text: `cat/1.png (cat) = dog/7.png (dog)`, with `≈` where bytes differ."""
        shown = sorted(self.distinct_labels_first[:LISTED])
        sign = " = " if self.exact else " ≈ "
        names = sign.join(f"{self.paths[position]} ({self.labels[position]})" for position in shown)
        more = len(self.rows) - len(shown)
        return f"{names} and {more:,} more" if more else names


def find_copies(manifest: pd.DataFrame, copies: Int64s) -> list[Copies]:
    """The sets of more than one image, in the order of their first paths.

    Args:
        manifest: `sha256`, `path`, `label`.
        copies: the number of each image's set, of `darkroom.duplicates.groups.join_copies`.
    """
    repeated = np.flatnonzero(np.bincount(copies)[copies] > 1) if len(copies) else np.empty(0, np.int64)
    rows = manifest[["sha256", "path", "label"]].iloc[repeated].assign(row=repeated, set=copies[repeated])
    rows = rows.sort_values("path", kind="stable")
    # Sets get their numbers in the order of their first paths.
    rows = rows.assign(set=pd.factorize(rows["set"])[0]).sort_values("set", kind="stable")
    ends = np.flatnonzero(np.diff(rows["set"], append=-1)) + 1
    columns = [rows[name].tolist() for name in ("row", "path", "label", "sha256")]
    found = []
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=False):
        members, paths, labels, hashes = (column[start:end] for column in columns)
        found.append(Copies(tuple(members), tuple(paths), tuple(labels), len(set(hashes)) == 1))
    return found
