"""Copies: images that must stay together, and those of them that contradict each other."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Copies:
    """Images of one group, when there are several.

    Attributes:
        group: the group's name.
        paths: one a image, sorted.
        labels: likewise, in the order of `paths`.
    """

    group: str
    paths: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def conflicting(self) -> bool:
        """Whether the same picture stands under several labels, at most one of which can be right."""
        return len(set(self.labels)) > 1

    @property
    def named(self) -> str:
        """All of them in words: `cat/1.png (cat) = dog/7.png (dog)`."""
        return " = ".join(f"{path} ({label})" for path, label in zip(self.paths, self.labels, strict=True))


def group_exact(manifest: pd.DataFrame) -> pd.DataFrame:
    """Put files with the same bytes into one group.

    Args:
        manifest: with the columns `id` and `sha256`.

    Returns:
        `id`, `group`: a row for each row of the manifest, in its order; the group's name is the SHA-256.
    """
    return pd.DataFrame({"id": manifest["id"], "group": manifest["sha256"]})


def find_copies(manifest: pd.DataFrame, groups: pd.DataFrame) -> list[Copies]:
    """The groups of more than one image, in the order of their first paths.

    Args:
        manifest: with the columns `path` and `label`.
        groups: with the column `group`, row for row beside the manifest.
    """
    rows = pd.DataFrame(
        {"group": groups["group"].array, "path": manifest["path"].array, "label": manifest["label"].array}
    )
    repeated = rows[rows["group"].duplicated(keep=False)].sort_values("path", kind="stable")
    return [
        Copies(str(group), tuple(images["path"]), tuple(images["label"]))
        for group, images in repeated.groupby("group", sort=False)
    ]
