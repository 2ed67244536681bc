"""The suite: what the line demands of every data set, with the thresholds of the settings."""

from dataclasses import dataclass
from typing import Any

import great_expectations.expectations as gxe
import pandas as pd

from darkroom.expectations.facts import Facts
from darkroom.images.schemas import MANIFEST

# How many offenders an expectation names; the page has more of them.
NAMED = 5


@dataclass(frozen=True)
class Limits:
    """The thresholds; their meanings are in `darkroom.params`."""

    max_reject_fraction: float
    min_images_per_class: int
    max_imbalance_ratio: float
    min_side: int
    max_side: int


@dataclass(frozen=True)
class Check:
    """One expectation, in words and for Great Expectations.

    Attributes:
        name: in plain words; unique in the suite.
        table: of `Facts`: `images`, `classes` or `overall`.
        expectation: a `great_expectations.expectations` object; its severity is `critical` when it stops the line and
            `warning` when it does not.
        allowed: the limit.
        is_minimum: whether `allowed` is the least or the most.
        unit: `count`, `pixels`, `share` (of one) or `ratio`.
        remedy: what the user can do when it is broken.
        offenders: names of what breaks it, the worst first.
    """

    name: str
    table: str
    expectation: gxe.Expectation
    allowed: float
    is_minimum: bool
    unit: str
    remedy: str
    offenders: tuple[str, ...] = ()


def expectations_of(facts: Facts, classes: tuple[str, ...], limits: Limits) -> list[Check]:
    """All checks, in the order in which people read them."""
    return [*_of_the_manifest(facts, classes), *_of_the_images(facts, limits), *_of_the_classes(facts, limits)]


def _of_the_manifest(facts: Facts, classes: tuple[str, ...]) -> list[Check]:
    """That it is what ingest promised: no setting can change these."""
    ids = facts.images.get("id", pd.Series(dtype=str))
    labels = facts.images.get("label", pd.Series(dtype=str))
    return [
        _none(
            "columns missing from the manifest",
            gxe.ExpectTableColumnsToMatchSet,
            {"column_set": MANIFEST.names, "exact_match": False},
            facts.missing_columns,
        ),
        _none(
            "images whose id is not unique",
            gxe.ExpectColumnValuesToBeUnique,
            {"column": "id"},
            tuple(sorted(ids[ids.duplicated()].unique())),
        ),
        _none(
            "images whose label is not in the class list",
            gxe.ExpectColumnValuesToBeInSet,
            {"column": "label", "value_set": list(classes)},
            tuple(sorted(set(labels) - set(classes))),
        ),
    ]


def _of_the_images(facts: Facts, limits: Limits) -> list[Check]:
    return [
        _at_most(
            "files that can't be read as images",
            "overall.rejected_share",
            limits.max_reject_fraction,
            "share",
            "mend or remove them, or raise ingest.max_reject_fraction",
            tuple(sorted(facts.rejects["path"])),
        ),
        _at_least(
            "shorter side of the smallest image",
            "images.shorter_side",
            limits.min_side,
            "pixels",
            "remove what is too small, or lower validate.min_side",
            _beyond(facts.images, "path", "shorter_side", at_least=limits.min_side),
        ),
        _at_most(
            "longer side of the largest image",
            "images.longer_side",
            limits.max_side,
            "pixels",
            "remove what is too large, or raise validate.max_side",
            _beyond(facts.images, "path", "longer_side", at_most=limits.max_side),
        ),
        _at_most(
            "pictures under more than one label",
            "overall.conflicts",
            0,
            "count",
            "keep each picture under the one label that is right",
            tuple(group.named for group in facts.conflicts),
            severity="warning",
        ),
    ]


def _of_the_classes(facts: Facts, limits: Limits) -> list[Check]:
    fewest = limits.min_images_per_class
    return [
        _at_least(
            "classes", "overall.classes", 2, "count", "add the images of another class", tuple(facts.classes["label"])
        ),
        _at_least(
            "images in the smallest class",
            "classes.images",
            fewest,
            "count",
            "add images, remove the class, or lower validate.min_images_per_class",
            _beyond(facts.classes, "label", "images", at_least=fewest),
        ),
        _at_most(
            "largest class divided by smallest",
            "overall.imbalance_ratio",
            limits.max_imbalance_ratio,
            "ratio",
            "add images to the small classes, or raise validate.max_imbalance_ratio",
            _largest_and_smallest(facts.classes),
        ),
    ]


def _none(name: str, kind: type[gxe.Expectation], settings: dict[str, Any], offenders: tuple[str, ...]) -> Check:
    """Nothing in the manifest may be counted as unexpected."""
    expectation = kind(meta={"name": name}, **settings)
    return Check(name, "images", expectation, 0, False, "count", "run `dvc repro --force ingest`", offenders)


def _at_least(name: str, place: str, least: float, unit: str, remedy: str, offenders: tuple[str, ...]) -> Check:
    """The least value in a column, given as `table.column`."""
    table, column = place.split(".")
    expectation = gxe.ExpectColumnMinToBeBetween(meta={"name": name}, column=column, min_value=least)
    return Check(name, table, expectation, least, True, unit, remedy, offenders)


def _at_most(
    name: str, place: str, most: float, unit: str, remedy: str, offenders: tuple[str, ...], severity: str = "critical"
) -> Check:
    """The largest value in a column, given as `table.column`."""
    table, column = place.split(".")
    expectation = gxe.ExpectColumnMaxToBeBetween(meta={"name": name}, column=column, max_value=most, severity=severity)
    return Check(name, table, expectation, most, False, unit, remedy, offenders)


def _beyond(
    table: pd.DataFrame, name: str, column: str, at_least: float = -float("inf"), at_most: float = float("inf")
) -> tuple[str, ...]:
    """`name (value)` of the rows whose value is outside the limits, farthest first; none where the column is missing."""
    if column not in table:
        return ()
    outside = table[(table[column] < at_least) | (table[column] > at_most)]
    worst = outside.sort_values([column, name], ascending=[at_most == float("inf"), True])
    return tuple(f"{row_name} ({value:,})" for row_name, value in zip(worst[name], worst[column], strict=True))


def _largest_and_smallest(classes: pd.DataFrame) -> tuple[str, ...]:
    if "images" not in classes:
        return ()
    present = classes[classes["images"] > 0].sort_values(["images", "label"])
    ends = present.iloc[[-1, 0]] if len(present) else present
    return tuple(f"{label} ({images:,})" for label, images in zip(ends["label"], ends["images"], strict=True))
