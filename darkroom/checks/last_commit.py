"""The data version of the last commit of the repository in the current folder, as far as it is compared with that of now."""

import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from darkroom.checks.distribution import count_again, counted
from darkroom.checks.summaries import Summaries
from darkroom.images.manifest import INGEST, MANIFEST_FOLDER, RECEIPT, manifest_of, manifest_ranges
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.shift import Counted

# Git's messages when there is no repository, no commit, or no such file in it.
NOTHING_COMMITTED = ("not a git repository", "invalid object name", "does not exist in", "exists on disk, but not in")
COLUMNS = ["id", "label", "width", "height", "brightness"]
NOTHING: Counted = (np.empty(0), np.empty(0, np.int64))


@dataclass(frozen=True)
class Side:
    """What is compared of a data version.

    Attributes:
        images: how many.
        labels: images of each label.
        sides: the geometric mean of width and height in pixels, counted.
        brightness: in [0, 1], of 4 digits, counted; nothing where it was not measured.
    """

    images: int
    labels: Counter[str]
    sides: Counted
    brightness: Counted


def last_committed(now: Summaries) -> Side | str:
    """The data version of the last commit of the repository in the current folder, or why there is nothing to compare with.

    Git is asked first, since DVC takes most of a second to import.

    Args:
        now: of the present manifest.
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
        before = committed_side(now)
    except DarkroomError as error:
        return f"the data of the last commit are out of reach: {error}"
    if before is None:
        return "the data are those of the last commit"
    return before if before.images else "the last commit has no images"


def committed_side(now: Summaries) -> Side | None:
    """The data version of the last commit; None where its images are those of now.

    Of its manifest only those parts are read of which there is no summary, so none that is a part of the present one.

    Raises:
        DarkroomError: when it is neither in DVC's cache nor in its remote.
    """
    # DVC takes 0.5 s to import.
    from darkroom.runtime.revisions import open_revision

    with open_revision("HEAD") as revision:
        if revision.has(f"{INGEST}/{RECEIPT}"):
            ranges = manifest_ranges(revision.get(f"{INGEST}/{RECEIPT}").parent)
            before = now.with_others(ranges, lambda name: revision.get(f"{MANIFEST_FOLDER}/{name}.parquet"))
            if not before.gaps:
                same = before.images == now.images and np.array_equal(before.columns(["id"]), now.columns(["id"]))
                return None if same else side_of(before)
        # Of a version that did not measure all of it.
        table = manifest_of(revision, COLUMNS)
    return side_of_table(table if table is not None else pa.table({name: [] for name in COLUMNS}))


def side_of(summaries: Summaries) -> Side:
    """What is compared of a manifest."""
    return Side(
        summaries.images,
        summaries.labels,
        summaries.sizes.distribution(_geometric_mean).counted,
        _rounded(summaries.distribution("brightness").counted),
    )


def side_of_table(manifest: pa.Table) -> Side:
    """The same of the columns `COLUMNS` of a manifest, whose brightness may be null."""
    width, height, brightness = (
        manifest[name].cast(pa.float64()).to_numpy() for name in ("width", "height", "brightness")
    )
    return Side(
        len(manifest),
        Counter(manifest["label"].to_pylist()),
        counted(_geometric_mean(width, height)),
        NOTHING if np.isnan(brightness).any() else _rounded(counted(brightness.round(5))),
    )


def _geometric_mean(width: Any, height: Any) -> Any:
    return np.sqrt(width.astype(np.float64) * height)


def _rounded(brightness: Counted) -> Counted:
    """What a newer decoder changes in the last digits is no change of the data."""
    return count_again(brightness[0].round(4), brightness[1])


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
