"""A difference in plain sentences and numbers, for the comment and the page."""

import pandas as pd

from darkroom.diff.difference import Difference
from darkroom.diff.measures import Score
from darkroom.runtime.text import count

# In nats, where the others are shares.
LOSS = "loss"


def changes(difference: Difference) -> dict[str, int]:
    """How many images changed, by kind; kinds without any are left out."""
    numbers = {
        "added": len(difference.added),
        "removed": len(difference.removed),
        "relabelled": len(difference.relabelled),
        "renamed": len(difference.renamed),
        "moved between splits": 0 if difference.moved is None else len(difference.moved),
        "excluded from all splits": 0 if difference.excluded is None else len(difference.excluded),
    }
    return {what: number for what, number in numbers.items() if number}


def leak_found(difference: Difference) -> bool | None:
    """Whether copies are in several splits; None where that is not known."""
    return None if difference.leaks is None else not difference.leaks.images.empty


def leak_sentences(difference: Difference) -> tuple[str, str]:
    """What was found about leaks: the finding, and what it means."""
    leaks = difference.leaks
    if leaks is None:
        return "Not checked for leaks:", "groups or splits are not known."
    joined = ""
    if leaks.split_groups:
        groups = count(leaks.split_groups, "group")
        joined = f" {groups} of older images in several splits, joined by a new near-copy that is excluded."
    if leaks.images.empty:
        return "No leak:", f"no copy of an image is in another split than the image.{joined}"
    sets, new = leaks.images["set"].nunique(), int(leaks.images["new"].sum())
    return (
        f"Leak: {count(sets, 'group')} of copies in several splits,",
        f"with {count(len(leaks.images), 'image')}, {new:,} of them new. Scores on the test split can't be trusted until "
        f"this is fixed.{joined}",
    )


def decision(action: str, label: str, new_label: str) -> str:
    """What a reviewer decided about an image, as `relabelled from cat to dog`; `label` is the source's."""
    done = {"relabel": f"relabelled from {label} to {new_label}", "remove": "removed", "keep": f"kept as {label}"}
    return done[action]


def first_sets(members: pd.DataFrame, column: str, sets: int, each: int) -> list[list[tuple[int, str, str]]]:
    """Of the first sets the first members: row, path, and the value of `column`.

    Args:
        members: `set`, `path`, `column`; set by set, counted from 0.
        sets: how many sets.
        each: how many members of each.
    """
    few = members[members["set"] < sets]
    few = few[few.groupby("set").cumcount() < each] if len(few) else few
    found: list[list[tuple[int, str, str]]] = [[] for _ in range(few["set"].nunique())]
    for row, number, path, of in few[["set", "path", column]].itertuples():
        found[number].append((row, path, of))
    return found


def signs(members: pd.DataFrame, sets: int) -> list[str]:
    """What to write between the members of each of the first sets: `=` where their files are equal, `≈` for near-copies.

    Args:
        members: `set`, `exact`; set by set, counted from 0.
        sets: how many sets.
    """
    exact = members.loc[members["set"] < sets].drop_duplicates("set")["exact"]
    return ["=" if each else "≈" for each in exact]


def most_changed(classes: pd.DataFrame, number: int) -> pd.DataFrame:
    """The classes with the most changes, at most so many, in the order of the table `Difference.classes`."""
    changes = classes[["added", "removed", "gained", "lost", "moved"]].sum(axis=1)
    return classes.loc[changes.sort_values(ascending=False, kind="stable").head(number).index.sort_values()]


def probability(value: float) -> str:
    """`p = 0.042`, or that it is below what three digits show."""
    return f"p = {value:.3f}" if value >= 0.001 else "p < 0.001"


def score(name: str, found: Score | None) -> tuple[str, str]:
    """A score, and its interval; the interval is empty where the score was not measured."""
    if found is None:
        return "not measured", ""
    form = ".4f" if name == LOSS else ".2%"
    return f"{found.value:{form}}", f"{found.low:{form}} to {found.high:{form}}"


def score_change(name: str, before: Score | None, after: Score | None) -> str:
    """A change with its sign, of a share in points; empty where a side was not measured."""
    if before is None or after is None:
        return ""
    change = after.value - before.value
    return f"{change:+.4f}" if name == LOSS else f"{100 * change:+.2f} points"


def tested_on(difference: Difference) -> str:
    """Whether both scores were measured on the same images; empty where that is not known."""
    return {
        True: "Both were measured on the same test images.",
        False: "The test images are not the same on both sides: part of the difference is theirs.",
        None: "",
    }[difference.same_test_images]
