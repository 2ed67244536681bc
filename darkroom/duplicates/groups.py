"""Groups: images that must be in one split, since they show the same picture or the user grouped them; and sets of copies.

Images are numbers here: the rows of the manifest, ascending, whose paths ascend with them. Texts are read of members alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import Bools, Int64s, UInt64s

# Images of a set that a line of text lists; reports have them all.
LISTED = 4
SUFFIX = re.compile(r"(?<=[^/])\.[^./]*$")

Numbers = TypeVar("Numbers", Int64s, UInt64s)
# The whole SHA-256 of rows, and the paths of rows; rows ascend.
Hashes = Callable[[Int64s], pa.Array]
Paths = Callable[[Int64s], list[str]]


@dataclass(frozen=True)
class Sets:
    """Images that are not alone.

    Attributes:
        rows: of the manifest, ascending, int64 [M].
        leads: the first row of each one's set, int64 [M].
        hashes: the SHA-256 of each, binary(32) [M].
    """

    rows: Int64s
    leads: Int64s
    hashes: pa.Array


def join_copies(short: UInt64s, hashes: Hashes, pairs: Int64s) -> Sets:
    """Sets of copies: files with the same bytes, and what pairs of near-copies join, directly or through others.

    Args:
        short: the first 64 bits of each image's SHA-256; where two are equal, the whole ones are compared.
        hashes: gives the whole ones.
        pairs: int64 [P, 2], rows of near-copies.
    """
    rows = _distinct(np.concatenate([_repeated(short), pairs.reshape(-1)]))
    whole = hashes(rows)
    numbers = _numbered(whole)
    leads = joined(len(rows), [_links(numbers), np.searchsorted(rows, pairs)])
    members = np.bincount(leads, minlength=len(rows))[leads] > 1
    return Sets(rows[members], rows[leads][members], whole.filter(pa.array(members)))


def _repeated(short: UInt64s) -> Int64s:
    """The rows whose number is there more than once."""
    ordered = np.sort(short)
    twice = _distinct(ordered[1:][ordered[1:] == ordered[:-1]])
    del ordered
    return np.flatnonzero(pc.is_in(pa.array(short), pa.array(twice)).to_numpy(zero_copy_only=False))


def _distinct(values: Numbers) -> Numbers:
    """Ascending, each once; `np.unique` of whole numbers would hash them, which takes five times as long."""
    values = np.sort(values)
    found: Numbers = values[np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]]
    return found


@dataclass(frozen=True)
class Groups:
    """The images whose group is not named by their own SHA-256 alone: those of groups of several, and of the user's.

    Attributes:
        rows: of the manifest, ascending, int64 [M].
        names: of their groups, binary(32) [M].
        largest: images of the largest group, 1 where each image is alone.
    """

    rows: Int64s
    names: pa.Array
    largest: int


def group_images(copies: Sets, given: Int64s, names: pa.Array, paths: Paths) -> Groups:
    """Join the sets of copies and the user's groups, and give every group a name that does not depend on the others.

    A group leads with the member whose path without suffix comes first; its name is that one's SHA-256. Where members have a
    group of the user's, the first of these gives the name.

    Args:
        copies: of `join_copies`.
        given: the rows of images with a group of the user's, ascending, int64 [G].
        names: that these groups give, binary(32) [G]: equal where the groups are.
        paths: of rows.
    """
    rows = _distinct(np.concatenate([copies.rows, given]))
    if not len(rows):
        return Groups(rows, pa.array([], pa.binary(32)), 1)
    places = np.searchsorted(rows, given)
    of_user = np.zeros(len(rows), bool)
    of_user[places] = True
    of_copies = np.stack([np.searchsorted(rows, each) for each in (copies.rows, copies.leads)], 1)
    leads = joined(len(rows), [places[_links(_numbered(names))], of_copies])
    # What each member would name the group; a group that the user named is named by those members alone.
    others = pa.array(~of_user[np.searchsorted(rows, copies.rows)])
    own = pa.concat_arrays([copies.hashes.filter(others), names])
    proposed = own.take(pa.array(np.argsort(np.concatenate([np.flatnonzero(~of_user), places]), kind="stable")))
    by_user = np.zeros(len(rows), bool)
    np.logical_or.at(by_user, leads, of_user)
    naming = of_user | ~by_user[leads]
    chosen = _naming_members(rows, leads, naming, _numbered(proposed), paths)
    return Groups(rows, proposed.take(pa.array(chosen[leads])), int(np.bincount(leads).max()))


def _naming_members(rows: Int64s, leads: Int64s, naming: Bools, numbers: Int64s, paths: Paths) -> Int64s:
    """For each lead, the position of the member that names its group; paths are read where members disagree.

    Args:
        rows: of the members.
        leads: position of the lead of each.
        naming: whether a member has a say.
        numbers: equal where what members propose is.
    """
    chosen = np.full(len(rows), len(rows))
    voters = np.flatnonzero(naming)
    np.minimum.at(chosen, leads[voters], voters)
    disputed = np.zeros(len(rows), bool)
    disputed[leads[voters[numbers[voters] != numbers[chosen[leads[voters]]]]]] = True
    open_to = voters[disputed[leads[voters]]]
    stems = [SUFFIX.sub("", path) for path in paths(rows[open_to])]
    # The first of each group is written last.
    for place in sorted(range(len(open_to)), key=lambda place: (stems[place], place), reverse=True):
        chosen[leads[open_to[place]]] = open_to[place]
    return chosen


def _numbered(values: pa.Array) -> Int64s:
    """Numbers that are equal where values are, int64 [N]."""
    return np.asarray(values.dictionary_encode().indices.to_numpy(zero_copy_only=False), np.int64)


def _links(numbers: Int64s) -> Int64s:
    """Neighbours among equal numbers, int64 [L, 2]."""
    order = np.argsort(numbers, kind="stable")
    alike = numbers[order[1:]] == numbers[order[:-1]]
    return np.stack([order[:-1][alike], order[1:][alike]], 1)


def joined(count: int, links: list[Int64s]) -> Int64s:
    """The first row of the set that each row is in, int64 [count]: what links join, directly or through others.

    Each round the larger of two leads follows the smaller one, so a round leaves half of those that are linked, or fewer.

    Args:
        count: how many rows.
        links: int64 [L, 2] each.
    """
    one, other = np.concatenate([np.empty((0, 2), np.int64), *links]).T
    leads = np.arange(count)
    while True:
        low, high = np.minimum(leads[one], leads[other]), np.maximum(leads[one], leads[other])
        if (low == high).all():
            return leads
        np.minimum.at(leads, high, low)
        while ((further := leads[leads]) != leads).any():
            leads = further


@dataclass(frozen=True)
class Copies:
    """Images that show one picture, when there are several.

    Attributes:
        paths, labels: of each image, in the order of their paths.
        exact: whether all of them have the same bytes.
    """

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
        return sorted(firsts) + [position for position in range(len(self.paths)) if position not in firsts]

    @property
    def text(self) -> str:
        """The first few as text: `cat/1.png (cat) = dog/7.png (dog)`, with `≈` where bytes differ."""
        shown = sorted(self.distinct_labels_first[:LISTED])
        sign = " = " if self.exact else " ≈ "
        names = sign.join(f"{self.paths[position]} ({self.labels[position]})" for position in shown)
        more = len(self.paths) - len(shown)
        return f"{names} and {more:,} more" if more else names
