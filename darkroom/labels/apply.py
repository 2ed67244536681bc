"""Applying label fixes: which fix is for which image, and the labels and rejects that follow."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.labels.fixes import APPLIED, LabelFix, require_valid
from darkroom.sources.source import SourceImage


class LabelFixes:
    """The fixes of one range, found by path or by id."""

    def __init__(self, file: Path, fixes: Sequence[LabelFix]) -> None:
        """Args:
        file: with the fixes.
        fixes: what `darkroom.labels.fixes.read_label_fixes` made of it, or those of them that may be of these images.
        """
        self._file = file
        self._fixes = {fix.image: fix for fix in fixes}
        self._applied: list[tuple[SourceImage, LabelFix]] = []

    def removes(self, image: SourceImage, image_id: str | None) -> bool:
        """Whether a reviewer removed an image; to be asked once for each, in their order.

        Args:
            image: of the source.
            image_id: None where it can't be read.

        Raises:
            DarkroomError: when it is in the file twice, by its path and by its id.
        """
        by_path, by_id = self._fixes.get(image.path), self._fixes.get(image_id or "")
        if by_path and by_id:
            text = f"{by_id.image} is the id of {image.path!r}, which is in line {by_path.line:,} already"
            require_valid(self._file, [(by_id.line, text)])
        fix = by_path or by_id
        if fix is None:
            return False
        self._applied.append((image, fix))
        return fix.action == "remove"

    @property
    def found(self) -> frozenset[str]:
        """The paths and ids by which fixes name images that there are."""
        return frozenset(fix.image for _, fix in self._applied)

    def applied(self) -> pa.Table:
        """The fixes of images that there are, with the columns of `APPLIED`, in the order of the images."""
        columns = [
            [image.path for image, _ in self._applied],
            [fix.action for _, fix in self._applied],
            [image.label for image, _ in self._applied],
            [fix.new_label for _, fix in self._applied],
            [fix.reviewer for _, fix in self._applied],
            [fix.reason for _, fix in self._applied],
        ]
        return pa.table([pa.array(column, pa.string()) for column in columns], schema=APPLIED)


def require_all_found(file: Path, fixes: Sequence[LabelFix], found: Collection[str]) -> None:
    """Stop where fixes are of no image.

    Args:
        file: with the fixes.
        fixes: all of them.
        found: the paths and ids that name images.

    Raises:
        DarkroomError: naming the fixes.
    """
    lost = [fix for fix in fixes if fix.image not in found]
    require_valid(file, [(fix.line, f"no image that can be read has the id {fix.image}") for fix in lost])


def with_fixes(images: pa.Table, fixes: pa.Table) -> pa.Table:
    """Images with their new labels, and with the columns `source_label` and `reviewer` of `darkroom.images.manifest`.

    Args:
        images: `path`, `label`, `reason`, and others.
        fixes: the columns of `APPLIED`.
    """
    rows = pc.index_in(images["path"].combine_chunks(), value_set=fixes["path"].combine_chunks())
    matched = fixes.take(rows)
    removed = pc.fill_null(pc.equal(matched["action"], "remove"), False)
    new, nothing = matched["new_label"], pa.scalar(None, pa.string())
    changed = pc.fill_null(pc.not_equal(new, images["label"]), False)
    why = pc.binary_join_element_wise("removed by ", matched["reviewer"], ": ", matched["reason"], "")
    columns = {
        "label": pc.coalesce(new, images["label"]),
        "source_label": pc.if_else(changed, images["label"], nothing),
        "reviewer": pc.if_else(removed, matched["reviewer"], nothing),
        "reason": pc.if_else(removed, why, images["reason"]),
    }
    others = {name: images[name] for name in images.column_names if name not in columns}
    return pa.table(others | columns)


def describe_fixes(fixes: pa.Table) -> str:
    """How many images were relabelled, removed and kept as they are; `fixes` has the columns of `APPLIED`."""
    done = {"relabel": "relabelled", "remove": "removed", "keep": "kept as they are"}
    actions = fixes["action"].to_pylist()
    return ", ".join(f"{actions.count(action):,} {word}" for action, word in done.items() if action in actions)
