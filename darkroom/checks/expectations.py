"""What is expected of every data set, with the thresholds of the settings."""

import numpy as np

from darkroom.checks.facts import Facts
from darkroom.checks.range_summary import end_name
from darkroom.checks.suite import EXAMPLES, NOTHING, Check, Suite, Worst, all_of
from darkroom.images.manifest import MANIFEST
from darkroom.settings.validate import Validate


def expectations_of(facts: Facts, limits: Validate, max_reject_fraction: float) -> list[Check]:
    """All checks of a data set, in the order in which people read them."""
    suite = Suite(tuple(limits.stop))
    return [
        *_of_the_manifest(suite, facts),
        *_of_the_set(suite, facts, limits, max_reject_fraction),
        *_of_the_images(suite, facts, limits),
        *_of_the_copies(suite, facts, limits),
    ]


def expectations_of_change(limits: Validate) -> list[Check]:
    """The checks of `Change.distances`."""
    suite = Suite(tuple(limits.stop))
    names = {"class_shift": "class balance", "size_shift": "sizes", "brightness_shift": "brightness"}
    remedy = "see what was added and removed with `python -m darkroom.diff HEAD workspace`, or raise validate.max_shift"
    return [
        suite.at_most(
            key, f"shift of the {name} since the last commit", f"change.{key}", limits.max_shift, "number", remedy
        )
        for key, name in names.items()
    ]


def _of_the_manifest(suite: Suite, facts: Facts) -> list[Check]:
    """The columns that ingest promises: no setting can change these."""
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
            facts.repeated_ids,
        ),
        suite.none(
            "manifest",
            "images whose label is not in the class list",
            "ExpectColumnValuesToBeInSet",
            {"column": "label", "value_set": list(facts.classes)},
            again,
            facts.unknown_labels,
        ),
    ]


def _of_the_set(suite: Suite, facts: Facts, limits: Validate, max_reject_fraction: float) -> list[Check]:
    """Rejects and classes."""
    fewest = limits.min_images_per_class
    present = sorted(((name, number) for name, number in facts.counts.items() if number), key=lambda each: each[1])
    small = tuple(each for each in present if each[1] < fewest)
    ends = Worst((present[-1], present[0]), 2) if present else NOTHING
    return [
        suite.at_most(
            "rejects",
            "files that can't be read as images",
            "overall.rejected_share",
            max_reject_fraction,
            "share",
            "repair or remove them, or raise ingest.max_reject_fraction",
            all_of(facts.rejects),
        ),
        suite.at_least(
            "classes",
            "classes",
            "overall.classes",
            2,
            "count",
            "add the images of another class",
            all_of(facts.classes),
        ),
        suite.at_most(
            "missing_class",
            "classes without an image",
            "overall.missing_classes",
            0,
            "count",
            "add images of the class, or take it out of the source",
            all_of([name for name, number in facts.counts.items() if not number]),
        ),
        suite.at_least(
            "class_size",
            "images in the smallest class",
            "overall.smallest_class",
            fewest,
            "count",
            "add images, remove the class, or lower validate.min_images_per_class",
            Worst(small, len(small)),
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


def _of_the_images(suite: Suite, facts: Facts, limits: Validate) -> list[Check]:
    """Each image by itself."""
    checks = []
    for key, name, column, unit, setting, remedy in OF_AN_IMAGE:
        limit, is_minimum = getattr(limits, setting), setting.startswith("min_")
        worst = _beyond(facts, column, limit, is_minimum)
        if is_minimum:
            remedy = f"{remedy}, or lower validate.{setting}"
            checks.append(suite.at_least(key, name, f"images.{column}", limit, unit, remedy, worst))
        else:
            remedy = f"{remedy}, or raise validate.{setting}"
            checks.append(suite.at_most(key, name, f"images.{column}", limit, unit, remedy, worst))
    return checks


def _of_the_copies(suite: Suite, facts: Facts, limits: Validate) -> list[Check]:
    """Images beside each other."""
    rare, number = facts.rare
    copies, conflicting = facts.copies, np.flatnonzero(facts.copies.conflicting)
    return [
        suite.at_most(
            "mode_mix",
            "grey images among colour ones, or the other way round",
            "overall.mode_mix",
            limits.max_mode_mix,
            "share",
            "check whether they belong here, or raise validate.max_mode_mix",
            Worst(tuple((one.path, None) for one in rare), number),
        ),
        suite.at_most(
            "copies",
            "images that are copies of another",
            "overall.copies_share",
            limits.max_copies,
            "share",
            "remove copies, or raise validate.max_copies; they are in one split all the same, and "
            "validate.near_copies=false counts equal files alone",
            Worst(tuple((one.text, None) for one in copies.some(range(min(len(copies), EXAMPLES)))), len(copies)),
        ),
        suite.at_most(
            "conflicts",
            "pictures under more than one label",
            "overall.conflicts",
            0,
            "count",
            "keep each picture under its correct label alone",
            Worst(tuple((one.text, None) for one in copies.some(conflicting[:EXAMPLES])), len(conflicting)),
        ),
    ]


def _beyond(facts: Facts, column: str, limit: float, is_minimum: bool) -> Worst:
    """The images beyond a limit; none where the manifest lacks the column."""
    found = facts.extremes.get(end_name(column, is_minimum), [])
    worst = tuple((one.path, one.value) for one in found if (one.value < limit if is_minimum else one.value > limit))
    if not worst or "path" not in facts.columns:
        return NOTHING
    values = facts.distribution(column)
    return Worst(worst, int(values.below(limit)) if is_minimum else values.above(limit))
