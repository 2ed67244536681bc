"""What can be counted of two states side by side: classes, splits, rejects, scores."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.diff.state import State
from darkroom.splits.rule import EXCLUDED, SPLITS


@dataclass(frozen=True)
class Score:
    """One headline number with its interval."""

    value: float
    low: float
    high: float


def by_class(
    before: State,
    after: State,
    added: pd.DataFrame,
    removed: pd.DataFrame,
    relabelled: pd.DataFrame,
    moved: pd.DataFrame | None,
) -> pd.DataFrame:
    """`Difference.classes`, from the other tables of the difference."""
    columns = {
        "before": before.images["label"],
        "after": after.images["label"],
        "added": added["label"],
        "removed": removed["label"],
        "gained": relabelled["label"],
        "lost": relabelled["label_before"],
        "moved": relabelled["label"][:0] if moved is None else moved["label"],
    }
    used = (label for side in (before, after) for label in side.images["label"].unique())
    labels = sorted({*before.classes.names, *after.classes.names, *used})
    table = pd.DataFrame({"label": labels})
    for name, values in columns.items():
        table[name] = values.value_counts().reindex(labels, fill_value=0).to_numpy()
    return table


def by_split(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame | None:
    """`Difference.splits`, from the images of both sides."""
    if "split" not in before or "split" not in after:
        return None
    names = [*SPLITS, EXCLUDED]
    counts = [side["split"].value_counts().reindex(names, fill_value=0).to_numpy() for side in (before, after)]
    table = pd.DataFrame({"split": names, "before": counts[0], "after": counts[1]})
    return table[(table["before"] > 0) | (table["after"] > 0)]


def changed_rejects(before: State, after: State) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`Difference.rejects_added` and `Difference.rejects_resolved`."""
    old, new = (list(zip(side.rejects["path"], side.rejects["reason"], strict=True)) for side in (before, after))
    still, known = set(new), set(old)
    resolved = sorted(each for each in known if each not in still)
    paths = after.images["path"]
    taken_in, rejected = set(paths[paths.isin([path for path, _ in resolved])]), {path for path, _ in new}

    def now(path: str) -> str:
        if path in taken_in:
            return "taken in"
        return "rejected for another reason" if path in rejected else "gone"

    return (
        pd.DataFrame(sorted(each for each in still if each not in known), columns=["path", "reason"]),
        pd.DataFrame([(*each, now(each[0])) for each in resolved], columns=["path", "reason", "now"]),
    )


def changed_fixes(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`Difference.fixes_added` and `Difference.fixes_withdrawn`, from the fixes of both sides."""
    old = set(before.itertuples(index=False, name=None))
    added = [row not in old for row in after.itertuples(index=False, name=None)]
    return after[np.array(added, dtype=bool)], before[~before["path"].isin(after["path"])]


def paired_scores(
    before: dict[str, float] | None, after: dict[str, float] | None
) -> dict[str, tuple[Score | None, Score | None]]:
    """The numbers that have an interval beside them: those are the headlines."""

    def score(numbers: dict[str, float] | None, name: str) -> Score | None:
        if numbers is None or f"{name}_low" not in numbers:
            return None
        return Score(numbers[name], numbers[f"{name}_low"], numbers[f"{name}_high"])

    names = [key.removesuffix("_low") for key in {**(before or {}), **(after or {})} if key.endswith("_low")]
    return {name: (score(before, name), score(after, name)) for name in names}


def same_test_images(before: pd.DataFrame, after: pd.DataFrame) -> bool | None:
    """`Difference.same_test_images`, from the images of both sides."""
    if "split" not in before or "split" not in after:
        return None
    keys = ["sha256", "label"]
    tested = [side.loc[side["split"] == "test", keys].sort_values(keys, ignore_index=True) for side in (before, after)]
    return bool(tested[0].equals(tested[1]))
