"""Copies and groups found, and the facts with them."""

from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from darkroom.checks.facts import Facts, gather_facts
from darkroom.checks.summaries import Summaries
from darkroom.duplicates.confirm import NearCopies, find_near_copies
from darkroom.duplicates.copies import copies_table
from darkroom.duplicates.descriptors import Thumbnails
from darkroom.duplicates.groups import Groups, group_images, join_copies
from darkroom.model.classes import ClassList
from darkroom.runtime.columns import addressable


def gather_with_copies(
    summaries: Summaries,
    classes: ClassList,
    rejects: list[str],
    ingest: Path,
    near_copies: bool | str,
    decoder: str,
    cache: Path,
) -> tuple[Facts, Groups]:
    """Find the copies in a manifest without gaps.

    Args:
        summaries: of the manifest.
        classes: made at ingest.
        rejects: the paths of the files that can't be read.
        ingest, near_copies, decoder, cache: as for `stages.validate.run`.

    Returns:
        The facts, and the groups.
    """
    repeated = _repeated_ids(summaries)
    near = NearCopies(np.empty((0, 2), np.int64))
    if near_copies:
        thumbnails = Thumbnails(ingest, cache, decoder)
        ids, width, height, contrast = summaries.columns(["id", "width", "height", "contrast"])
        # Its matrices are small, and Great Expectations' import has the other core: threads would only wait for each other.
        with threadpool_limits(1, "blas"):
            near = find_near_copies(
                thumbnails.read,
                ids,
                width,
                height,
                contrast,
                cache / "near_copies",
                thumbnails.identity,
                always=near_copies is True,
            )
        del ids, width, height, contrast
    copies = join_copies(summaries.leading_hashes(), summaries.hashes, near.pairs)
    given, names = summaries.groups()
    groups = group_images(copies, given, names, lambda rows: summaries.texts(rows, ["path"])["path"].to_pylist())
    texts = addressable(summaries.texts(copies.rows, ["path", "label"]))
    table = copies_table(copies, texts["path"], texts["label"])
    return gather_facts(summaries, rejects, classes, repeated, table, groups.largest, near), groups


def _repeated_ids(summaries: Summaries) -> tuple[str, ...]:
    (ids,) = summaries.columns(["id"])
    ids.sort()
    return tuple(f"{number:016x}" for number in sorted(set(ids[1:][ids[1:] == ids[:-1]].tolist())))
