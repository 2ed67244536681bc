"""Groups: images that must stay in one split, because they show the same picture or because the user says so."""

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Ints = npt.NDArray[np.int64]


def join_copies(sha256: pd.Series, pairs: Ints) -> Ints:
    """Sets of copies: files with the same bytes, and what pairs of near-copies join, directly or through others.

    Args:
        sha256: of each image.
        pairs: int64 [P, 2], rows of near-copies.

    Returns:
        int64 [N], the number of each image's set.
    """
    return _joined(len(sha256), [pd.factorize(sha256)[0]], pairs)


def group_images(manifest: pd.DataFrame, copies: Ints) -> pd.DataFrame:
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
    names = manifest["sha256"].to_numpy(dtype=object, copy=True)
    # Most images are alone and give their own name.
    shared = np.flatnonzero((np.bincount(groups)[groups] > 1) | given)
    members = pd.DataFrame({"row": shared, "group": groups[shared], "given": given[shared]})
    paths = manifest["path"].iloc[shared]
    members["stem"] = paths.str.replace(r"(?<=[^/])\.[^./]*$", "", regex=True).array
    members["path"] = paths.array
    members = members.sort_values(["given", "stem", "path"], ascending=[False, True, True])
    leads = members.drop_duplicates("group")
    lead_names = pd.Series(names[leads["row"]], index=leads["group"])
    named = leads[leads["given"]]
    lead_names[named["group"]] = [
        hashlib.sha256(f"group\0{name}".encode()).hexdigest() for name in users.iloc[named["row"]]
    ]
    names[shared] = lead_names.reindex(groups[shared]).to_numpy()
    return pd.DataFrame({"id": manifest["id"].array, "group": pd.array(names, dtype="str")})


def _joined(count: int, numberings: list[Ints], pairs: Ints) -> Ints:
    """Number the sets of `count` rows that share a number in one of the numberings, or a pair."""
    links = [pairs]
    for numbers in numberings:
        _, first, position = np.unique(numbers, return_index=True, return_inverse=True)
        links.append(np.stack([np.arange(count), first[position]], 1))
    one, other = np.concatenate(links).T
    graph = coo_matrix((np.ones(len(one), np.int8), (one, other)), (count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
