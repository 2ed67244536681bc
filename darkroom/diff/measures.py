"""Two states in numbers: classes, splits, rejects, scores, and how far the distribution of each measure moved."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.diff.state import State
from darkroom.runtime.arrays import Float64s
from darkroom.sources.class_names import in_label_order
from darkroom.splits.rule import EXCLUDED, SPLITS
from darkroom.statistics.shift import Shift, class_distance, kolmogorov_smirnov

Scale = Callable[[Float64s], Float64s]

# A shift is marked when it is larger than this and significant.
LARGE = 0.1
BINS = 24


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
    labels = list(in_label_order({*before.classes.names, *after.classes.names, *used}))
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


def newly_excluded(after: pd.DataFrame, stayed: pd.DataFrame) -> pd.DataFrame | None:
    """`Difference.excluded`, from the images after and those on both sides."""
    if "split" not in stayed:
        return None
    before = stayed.index[stayed["split_before"] == EXCLUDED]
    return after.loc[(after["split"] == EXCLUDED) & ~after.index.isin(before), ["path", "label"]]


def changed_rejects(before: State, after: State) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`Difference.rejects_added` and `Difference.rejects_resolved`."""
    old, new = (list(zip(side.rejects["path"], side.rejects["reason"], strict=True)) for side in (before, after))
    still, known = set(new), set(old)
    resolved = sorted(each for each in known if each not in still)
    paths = after.images["path"]
    ingested, rejected = set(paths[paths.isin([path for path, _ in resolved])]), {path for path, _ in new}

    def now(path: str) -> str:
        if path in ingested:
            return "ingested"
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
    """The headline numbers, which are those with an interval."""

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


@dataclass(frozen=True)
class DistributionShift:
    """One property of images, before and after.

    The two sides share most of their images, and the test takes them for independent: it finds too few shifts, never too
    many. The added images are independent of those before, and a few outliers among many show there.

    Attributes:
        name: of the property.
        whole: all images after against all before.
        added: the added images against all before; None where nothing was added.
        medians: before and after.
        edges: of the histograms' bins, BINS + 1; the outermost bins include what is beyond.
        before, after: the share of images in each bin.
        digits: to show values with.
    """

    name: str
    whole: Shift
    added: Shift | None
    medians: tuple[float, float]
    edges: Float64s
    before: Float64s
    after: Float64s
    digits: int


@dataclass(frozen=True)
class Measure:
    """A property to compare.

    Attributes:
        name: of the property.
        of: how to get it from a table of images.
        digits: to show it with.
        scale: to a scale where equal steps mean equal changes; the logarithm of what is compared by ratio.
        plain: back from `scale`.
    """

    name: str
    of: Callable[[pd.DataFrame], pd.Series]
    digits: int
    scale: Scale = np.positive
    plain: Scale = np.positive

    def scaled(self, images: pd.DataFrame) -> Float64s:
        """Values on the scale to compare them on; NaN where nothing was measured."""
        return self.scale(self.of(images).to_numpy(dtype=np.float64, na_value=np.nan))


MEASURES = (
    Measure(
        "size, √(width × height) in px", lambda images: (images["width"] * images["height"]) ** 0.5, 0, np.log, np.exp
    ),
    Measure("width / height", lambda images: images["width"] / images["height"], 2, np.log, np.exp),
    Measure("brightness", lambda images: images["brightness"], 2),
    Measure("contrast", lambda images: images["contrast"], 2),
    # A picture of one colour has sharpness 0, which has no ratio to others: of the value and 1, by ratio.
    Measure("sharpness", lambda images: images["sharpness"], 0, np.log1p, np.expm1),
)


def class_shift(before: pd.Series, after: pd.Series, added: pd.Series) -> tuple[Shift, Shift | None]:
    """Class balance: total variation distance, and Pearson's chi-square test that both sides have the same shares.

    Args:
        before, after, added: labels, a row for each image.

    Returns:
        All images against all before; added images against all before, None without any.
    """
    return _class_distance(before, after), None if added.empty or before.empty else _class_distance(before, added)


def _class_distance(before: pd.Series, after: pd.Series) -> Shift:
    counts = pd.concat([before.value_counts(), after.value_counts()], axis=1).fillna(0).to_numpy(np.int64)
    return class_distance(counts[:, 0], counts[:, 1])


def measured_shifts(before: pd.DataFrame, after: pd.DataFrame, added: pd.DataFrame) -> list[DistributionShift]:
    """What was measured on both sides, by the two-sample Kolmogorov-Smirnov test.

    Args:
        before, after, added: `width`, `height`, `brightness`, `contrast`, `sharpness`, a row for each image.
    """
    found = []
    for measure in MEASURES:
        old, new, of_added = (values[~np.isnan(values)] for values in map(measure.scaled, (before, after, added)))
        if not len(old) or not len(new):
            continue
        edges = _edges(np.concatenate([old, new]))
        found.append(
            DistributionShift(
                measure.name,
                kolmogorov_smirnov(old, new),
                kolmogorov_smirnov(old, of_added) if len(of_added) else None,
                (float(np.median(measure.plain(old))), float(np.median(measure.plain(new)))),
                measure.plain(edges),
                _shares(old, edges),
                _shares(new, edges),
                measure.digits,
            )
        )
    return found


def _edges(values: Float64s) -> Float64s:
    """Equal bins over all but the outermost half percent on either side, which few images would stretch over most of them."""
    low, high = np.quantile(values, [0.005, 0.995])
    if low == high:
        low, high = low - 0.1, high + 0.1
    return np.linspace(low, high, BINS + 1)


def _shares(values: Float64s, edges: Float64s) -> Float64s:
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
