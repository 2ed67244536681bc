"""Which image goes to which split: a rule that looks at each group alone, so that growth moves nothing.

The rule places groups in *parts*, numbered from 0: `test`, `validation`, `train`; with folds `test`, `fold 0`, `fold 1`, … .
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import UInt64s
from darkroom.runtime.seeding import uniform_per_image

SPLITS = ("train", "validation", "test")
WITHHELD = "withheld"
TEST, VALIDATION, UNCLAIMED = 0, 1, 2
NOWHERE = -1

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
Parts = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Wish:
    """How the user wants images divided: with the images, all that decides their parts.

    Attributes:
        validation, test: shares in (0, 1).
        seed: of the draws.
        folds: divide what is not test into so many, in place of a validation share.
        validation_from, test_from: images from the start of this day on (UTC), in place of a share.
    """

    validation: float
    test: float
    seed: int
    folds: int | None = None
    validation_from: date | None = None
    test_from: date | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts."""
        if self.folds is None:
            return ("test", "validation", "train")
        return ("test", *(f"fold {number}" for number in range(self.folds)))

    def splits(self, fold: int) -> tuple[str, ...]:
        """The split that each part stands for when `fold` validates; `withheld` comes last, for `NOWHERE`."""
        if self.folds is None:
            return (*self.parts, WITHHELD)
        return ("test", *("validation" if each == fold else "train" for each in range(self.folds)), WITHHELD)


@dataclass(frozen=True)
class Images:
    """What the rule looks at, in numbers; N images in G groups, in the manifest's order.

    Attributes:
        group: int64 [N], which of `group_names` (string [G]).
        content: int64 [N]: images with the same number have the same bytes.
        claims: int64 [N], `TEST` or `VALIDATION` where the source says so, else `UNCLAIMED`.
        taken: int64 [N], microseconds since 1970 (UTC); the smallest number where the source does not say.
    """

    group: Int64s
    group_names: pa.Array
    content: Int64s
    claims: Int64s
    taken: Int64s

    @classmethod
    def of(cls, manifest: pa.Table, groups: pa.Table) -> "Images":
        """From the manifest and the table `id, group` of the validate stage, row for row beside it."""
        grouped = pc.dictionary_encode(groups["group"].combine_chunks())
        claims = pc.index_in(manifest["source_split"], value_set=pa.array(["test", "validation"]))
        taken = pc.fill_null(manifest["timestamp"].cast(pa.int64()), np.iinfo(np.int64).min)
        return cls(
            grouped.indices.to_numpy().astype(np.int64),
            grouped.dictionary,
            pc.dictionary_encode(manifest["sha256"].combine_chunks()).indices.to_numpy().astype(np.int64),
            pc.fill_null(claims, UNCLAIMED).to_numpy().astype(np.int64),
            taken.to_numpy(),
        )

    def keys(self) -> UInt64s:
        """The first 64 bits of each group's name, a SHA-256 in hex: uint64 [G]."""
        words = "".join(pc.utf8_slice_codeunits(self.group_names, 0, 16).to_pylist())
        return np.frombuffer(bytes.fromhex(words), dtype=">u8").astype(np.uint64)


@dataclass(frozen=True)
class Ruled:
    """What the rule says.

    Attributes:
        parts: int16 [N].
        drawn: bool [N]: by a draw, neither claimed by the source nor dated.
        fetched: bool [N]: from before the cut, in the part of a later image of the same group.
        shares: float64 [P], the chance of each part where it is drawn.
    """

    parts: Parts
    drawn: Bools
    fetched: Bools
    shares: Floats


def apply_rule(images: Images, wish: Wish) -> Ruled:
    """Place every image by its group alone; all images of a group go to the same part.

    1. A group of which the source put any image into its test split goes to test, and likewise for validation, test first: a
       copy of a test image must not be trained on. With folds, the source's validation images are divided like the rest.
    2. Else, where a cut is set, a group with an image from `test_from` on goes to test, and likewise for validation.
    3. Else a number drawn from the group's name and the seed decides: below the share for test it goes to test, and so on.
       A split that the source brings, or that is cut by date, is not drawn for. The fold is a second draw.

    The draw looks at nothing but the group, so images that come later move none that are here. It also makes the shares of
    each class binomial (`darkroom.splits.tolerance` says how far they may be from the wish).
    """
    claims = np.where(images.claims == TEST, TEST, UNCLAIMED) if wish.folds else images.claims
    claimed = _first(claims, images)
    dated = np.full(len(images.group), UNCLAIMED)
    for part, day in ((VALIDATION, wish.validation_from), (TEST, wish.test_from)):
        if day is not None:
            dated[images.taken >= (day - date(1970, 1, 1)).days * 86_400_000_000] = part
    decided = np.where(claimed != UNCLAIMED, claimed, _first(dated, images))
    shares = part_shares(wish, brings_test=bool((claims == TEST).any()), brings_validation=VALIDATION in claims)
    drawn = decided == UNCLAIMED
    parts = np.where(drawn, draw_parts(images.keys(), wish, shares), decided).astype(np.int16)
    by_date = (claimed == UNCLAIMED) & ~drawn
    return Ruled(
        parts[images.group],
        drawn[images.group],
        by_date[images.group] & (dated != decided[images.group]),
        shares,
    )


def _first(codes: Int64s, images: Images) -> Int64s:
    """The smallest code of each group, int64 [G]."""
    first = np.full(len(images.group_names), UNCLAIMED)
    np.minimum.at(first, images.group, codes)
    return first


def part_shares(wish: Wish, brings_test: bool, brings_validation: bool) -> Floats:
    """The chance of each part for a group that is drawn, float64 [P]."""
    test = 0.0 if brings_test or wish.test_from else wish.test
    if wish.folds is not None:
        return np.array([test, *[(1 - test) / wish.folds] * wish.folds])
    validation = 0.0 if brings_validation or wish.validation_from else wish.validation
    return np.array([test, validation, 1 - test - validation])


def draw_parts(keys: UInt64s, wish: Wish, shares: Floats) -> Parts:
    """A part for each key, int16 [G]."""
    draws = uniform_per_image(keys, "split", wish.seed)
    if wish.folds is None:
        return np.searchsorted(np.cumsum(shares)[:2], draws, side="right").astype(np.int16)
    folds = (uniform_per_image(keys, "fold", wish.seed) * wish.folds).astype(np.int16)
    return np.where(draws < shares[TEST], TEST, 1 + folds).astype(np.int16)
