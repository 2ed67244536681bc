"""What is expected of every data set, with the thresholds of the settings."""

import operator
from collections.abc import Callable

import pandas as pd

from darkroom.checks.facts import Facts, rarer_mode
from darkroom.checks.suite import Check, Suite
from darkroom.images.manifest import MANIFEST
from darkroom.settings.validate import Validate


def expectations_of(facts: Facts, limits: Validate, max_reject_fraction: float) -> list[Check]:
    """All checks of a data set, in the order in which people read them."""
    suite = Suite(tuple(limits.stop))
    return [
        *_of_the_manifest(suite, facts),
        *_of_the_set(suite, facts, limits, max_reject_fraction),
        *_of_the_images(suite, facts.images, limits),
        *_of_the_copies(suite, facts, limits),
    ]


def _of_the_manifest(suite: Suite, facts: Facts) -> list[Check]:
    """The columns that ingest promises: no setting can change these."""
    ids = facts.images.get("id", pd.Series(dtype=str))
    labels = facts.images.get("label", pd.Series(dtype=str))
    classes = facts.classes["label"].tolist()
    again = "run `dvc repro --force ingest`"
    return [
        suite.none(
            "manifest",
            "columns missing from the manifest",
            "ExpectTableColumnsToMatchSet",
            {"column_set": MANIFEST.names, "exact_match": False},
            again,
            facts.missing_columns,
        ),
        suite.none(
            "manifest",
            "images whose id is not unique",
            "ExpectColumnValuesToBeUnique",
            {"column": "id"},
            again,
            tuple(sorted(ids[ids.duplicated()].unique())),
        ),
        suite.none(
            "manifest",
            "images whose label is not in the class list",
            "ExpectColumnValuesToBeInSet",
            {"column": "label", "value_set": classes},
            again,
            tuple(sorted(set(labels.unique()) - set(classes))),
        ),
    ]


def _of_the_set(suite: Suite, facts: Facts, limits: Validate, max_reject_fraction: float) -> list[Check]:
    """Rejects and classes."""
    fewest = limits.min_images_per_class
    counts = facts.classes.set_index("label").get("images", pd.Series(dtype=int))
    present = counts[counts > 0].sort_values(kind="stable")
    ends = present.iloc[[-1, 0]] if len(present) else present
    return [
        suite.at_most(
            "rejects",
            "files that can't be read as images",
            "overall.rejected_share",
            max_reject_fraction,
            "share",
            "repair or remove them, or raise ingest.max_reject_fraction",
            pd.Series(None, sorted(facts.rejects["path"]), dtype=object),
        ),
        suite.at_least(
            "classes",
            "classes",
            "overall.classes",
            2,
            "count",
            "add the images of another class",
            pd.Series(None, facts.classes["label"], dtype=object),
        ),
        suite.at_most(
            "missing_class",
            "classes without an image",
            "overall.missing_classes",
            0,
            "count",
            "add images of the class, or take it out of the source",
            pd.Series(None, counts.index[counts == 0], dtype=object),
        ),
        suite.at_least(
            "class_size",
            "images in the smallest class",
            "overall.smallest_class",
            fewest,
            "count",
            "add images, remove the class, or lower validate.min_images_per_class",
            present[present < fewest],
        ),
        suite.at_most(
            "imbalance",
            "largest class divided by smallest",
            "overall.imbalance_ratio",
            limits.max_imbalance_ratio,
            "ratio",
            "add images to the small classes, or raise validate.max_imbalance_ratio and set train.balance",
            ends,
        ),
    ]


LOOK = "look at the images, remove those that show nothing"
# What is checked of each image: the check's key and name, the column, its unit, the setting with the limit, and what to do
# instead of changing it.
OF_AN_IMAGE = (
    ("size", "shorter side of the smallest image", "shorter_side", "pixels", "min_side", "remove what is too small"),
    ("size", "longer side of the largest image", "longer_side", "pixels", "max_side", "remove what is too large"),
    (
        "aspect_ratio",
        "longer side by shorter side of the most stretched image",
        "aspect_ratio",
        "ratio",
        "max_aspect_ratio",
        "crop it",
    ),
    ("brightness", "brightness of the darkest image", "brightness", "number", "min_brightness", LOOK),
    ("brightness", "brightness of the brightest image", "brightness", "number", "max_brightness", LOOK),
    ("contrast", "contrast of the flattest image", "contrast", "number", "min_contrast", LOOK),
    ("sharpness", "sharpness of the most blurred image", "sharpness", "number", "min_sharpness", LOOK),
)


def _of_the_images(suite: Suite, images: pd.DataFrame, limits: Validate) -> list[Check]:
    """Each image by itself."""
    checks = []
    for key, name, column, unit, setting, remedy in OF_AN_IMAGE:
        limit = getattr(limits, setting)
        if setting.startswith("min_"):
            worst = _beyond(images, column, limit, operator.lt).sort_values(kind="stable")
            remedy = f"{remedy}, or lower validate.{setting}"
            checks.append(suite.at_least(key, name, f"images.{column}", limit, unit, remedy, worst))
        else:
            worst = _beyond(images, column, limit, operator.gt).sort_values(ascending=False, kind="stable")
            remedy = f"{remedy}, or raise validate.{setting}"
            checks.append(suite.at_most(key, name, f"images.{column}", limit, unit, remedy, worst))
    return checks


def _of_the_copies(suite: Suite, facts: Facts, limits: Validate) -> list[Check]:
    """Images beside each other."""
    rare, conflicts = pd.Series(dtype=object), facts.conflicts
    if not facts.missing_columns:
        rare = pd.Series(
            None, facts.images["path"][facts.images["grey"] == (rarer_mode(facts.images) == "grey")], dtype=object
        )
    return [
        suite.at_most(
            "mode_mix",
            "grey images among colour ones, or the other way round",
            "overall.mode_mix",
            limits.max_mode_mix,
            "share",
            "check whether they belong here, or raise validate.max_mode_mix",
            rare,
        ),
        suite.at_most(
            "copies",
            "images that are copies of another",
            "overall.copies_share",
            limits.max_copies,
            "share",
            "remove copies, or raise validate.max_copies; they are in one split all the same, and "
            "validate.near_copies=false counts equal files alone",
            pd.Series(None, [copies.text for copies in facts.copies], dtype=object),
        ),
        suite.at_most(
            "conflicts",
            "pictures under more than one label",
            "overall.conflicts",
            0,
            "count",
            "keep each picture under its correct label alone",
            pd.Series(None, [copies.text for copies in conflicts], dtype=object),
        ),
    ]


def _beyond(
    images: pd.DataFrame, column: str, limit: float, beyond: Callable[[pd.Series, float], pd.Series]
) -> pd.Series:
    """The values of a column beyond a limit, by path; empty where the manifest lacks it."""
    if column not in images or "path" not in images:
        return pd.Series(dtype=float)
    rows = beyond(images[column], limit)
    return pd.Series(images.loc[rows, column].to_numpy(), images.loc[rows, "path"])
