"""The shift since the data version last committed: of class balance, sizes and brightness."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from darkroom.checks.suite import Check, Outcome, Suite
from darkroom.images.manifest import read_manifest_of
from darkroom.runtime.arrays import Float64s
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.validate import Validate
from darkroom.statistics.shift import Shift, class_distance, kolmogorov_smirnov

# Git's messages when there is no repository, no commit, or no such file in it.
NOTHING_COMMITTED = ("not a git repository", "invalid object name", "does not exist in", "exists on disk, but not in")
COLUMNS = ["id", "label", "width", "height", "brightness"]
# In `changes.json`, in the order of `Change.shifts`.
SHIFTS = ("classes", "sizes", "brightness")


@dataclass(frozen=True)
class Change:
    """From the last commit to now.

    Attributes:
        commit: the short hash of that commit.
        classes: `label`, `before`, `after`: images.
        sides: the geometric mean of width and height in pixels, before and after, float64 [N].
        brightness: in [0, 1], before and after, float64 [N]; empty where it was not measured before.
        class_shift, size_shift, brightness_shift: how far each moved.
    """

    commit: str
    classes: pd.DataFrame
    sides: tuple[Float64s, Float64s]
    brightness: tuple[Float64s, Float64s]
    class_shift: Shift
    size_shift: Shift
    brightness_shift: Shift

    @property
    def shifts(self) -> dict[str, Shift]:
        """By the keys of `expectations_of_change`, in their order."""
        return {
            "class_shift": self.class_shift,
            "size_shift": self.size_shift,
            "brightness_shift": self.brightness_shift,
        }

    @property
    def table(self) -> pd.DataFrame:
        """One row, for the checks."""
        return pd.DataFrame({name: shift.significant_distance for name, shift in self.shifts.items()}, index=[0])


def last_committed(manifest: pd.DataFrame) -> pd.DataFrame | str:
    """The manifest of the last commit of the repository in the current folder, or why there is nothing to compare with.

    Git is asked first, since DVC takes most of a second to import.

    Args:
        manifest: the present one, with the column `id`.
    """
    try:
        committed = _ingest_of(_git("show", "HEAD:./dvc.lock"))
    except DarkroomError as error:
        return f"git can't show the last commit: {error}"
    if committed is None:
        return "no data version has been committed yet"
    lock = Path("dvc.lock")
    if lock.exists() and committed == _ingest_of(lock.read_text(encoding="utf-8")):
        return "the data are those of the last commit"
    try:
        table = read_manifest_of("HEAD", COLUMNS)
    except DarkroomError as error:
        return f"the data of the last commit are out of reach: {error}"
    if table is None or not len(table):
        return "the last commit has no images"
    before: pd.DataFrame = table.to_pandas()
    if len(before) == len(manifest) and bool((before["id"].array == manifest["id"].array).all()):
        return "the data are those of the last commit"
    return before


def last_commit() -> str:
    """The short hash of the last commit of the repository in the current folder."""
    return _git("rev-parse", "--short", "HEAD").strip()


def _git(*words: str) -> str:
    """What git answers; empty where there is no git, no repository, no commit or no such file.

    Raises:
        DarkroomError: with git's own message where it fails otherwise, such as over the owner of the folder.
    """
    english = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, encoding="utf-8", env=english)
    except FileNotFoundError:
        return ""
    if done.returncode == 0:
        return done.stdout
    if any(message in done.stderr for message in NOTHING_COMMITTED):
        return ""
    raise DarkroomError(" ".join(done.stderr.split()).removeprefix("fatal: ") or f"exit status {done.returncode}")


def _ingest_of(lock: str) -> Any:
    """The entry of ingest's output in a dvc.lock; None where it has none."""
    # With the parser in C: a `dvc.lock` of 1,000 lines takes it 20 ms instead of 200.
    stages = (yaml.load(lock, yaml.CSafeLoader) or {}).get("stages", {})
    outputs = stages.get("ingest", {}).get("outs", [])
    return next((output for output in outputs if output["path"] == "data/ingest"), None)


def measure_change(before: pd.DataFrame, after: pd.DataFrame, commit: str) -> Change:
    """Compare two manifests.

    Class balance by the total variation distance with Pearson's chi-square test of equal shares; sizes and brightness by the
    two-sample Kolmogorov-Smirnov test with its limiting distribution.

    Args:
        before, after: with the columns of `COLUMNS`, a row for each image, at least one in each.
        commit: the short hash of the commit that `before` is of.
    """
    counts = pd.DataFrame({"before": before["label"].value_counts(), "after": after["label"].value_counts()})
    counts = counts.fillna(0).astype(int).sort_index()
    sides = _sides(before), _sides(after)
    # Rounded: what a newer decoder changes in the last digits is no change of the data.
    brightness = [part["brightness"].to_numpy(np.float64, na_value=np.nan).round(4) for part in (before, after)]
    if np.isnan(brightness[0]).any():
        brightness = [np.empty(0), np.empty(0)]
    return Change(
        commit,
        counts.rename_axis("label").reset_index(),
        sides,
        (brightness[0], brightness[1]),
        class_distance(counts["before"].to_numpy(), counts["after"].to_numpy()),
        kolmogorov_smirnov(*sides),
        kolmogorov_smirnov(brightness[0], brightness[1]),
    )


def _sides(manifest: pd.DataFrame) -> Float64s:
    return np.asarray(np.sqrt(manifest["width"].to_numpy(np.float64) * manifest["height"].to_numpy(np.float64)))


def expectations_of_change(limits: Validate) -> list[Check]:
    """The checks of `Change.table`."""
    suite = Suite(tuple(limits.stop))
    names = {"class_shift": "class balance", "size_shift": "sizes", "brightness_shift": "brightness"}
    remedy = "see what was added and removed with `python -m darkroom.diff HEAD workspace`, or raise validate.max_shift"
    return [
        suite.at_most(
            key, f"shift of the {name} since the last commit", f"change.{key}", limits.max_shift, "number", remedy
        )
        for key, name in names.items()
    ]


def change_results(change: Change | str, outcomes: list[Outcome]) -> dict[str, object]:
    """The content of `changes.json`; `change` is text where there was nothing to compare with."""
    if isinstance(change, str):
        return {"compared": False, "reason": change, "expectations": []}
    return {
        "compared": True,
        "commit": change.commit,
        "images": {"before": len(change.sides[0]), "after": len(change.sides[1])},
        "classes": change.classes.to_dict("records"),
        "shifts": {
            name: {"distance": shift.distance, "probability": shift.probability}
            for name, shift in zip(SHIFTS, change.shifts.values(), strict=True)
        },
        "expectations": [outcome.to_dict() for outcome in outcomes],
    }


def change_measures(change: Change | str) -> pa.Table:
    """The table `measures.parquet` beside it, for charts: `after` (else before), `side`, `brightness`; a row for each image."""
    sides, brightness = (
        ((np.empty(0), np.empty(0)),) * 2 if isinstance(change, str) else (change.sides, change.brightness)
    )
    columns = {
        "after": np.repeat([False, True], [len(side) for side in sides]),
        "side": np.concatenate(sides),
        "brightness": np.concatenate(brightness) if len(brightness[0]) else np.full(sum(map(len, sides)), np.nan),
    }
    return pa.table(columns)


def describe_change(change: Change | str) -> str:
    """One line for the terminal."""
    if isinstance(change, str):
        return f"not compared: {change}"
    texts = []
    for key, shift in change.shifts.items():
        note = " (not significant)" if shift.distance and not shift.significant_distance else ""
        texts.append(f"{key.replace('_', ' ')} {shift.distance:.3f}{note}")
    return ", ".join(texts)
