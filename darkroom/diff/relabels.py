"""All relabels, counted from class to class, with what the model before them predicts for these images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from darkroom.diff.difference import Difference
from darkroom.drawing.markdown import code, table
from darkroom.model.classes import load_classes
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import INGEST, PREDICTIONS
from darkroom.runtime.revisions import Revision, open_revision
from darkroom.sources.class_names import in_label_order

FILE = (PREDICTIONS / "predictions.parquet").as_posix()
# Of the matrix; rows of the table of pairs.
CLASSES, PAIRS = 12, 50
COLUMNS = ["path", "damage", "logits", "out_of_fold"]


@dataclass(frozen=True)
class Relabels:
    """Images relabelled from one class to another.

    Attributes:
        before, after: the classes.
        images: how many.
        predicted: how many of them the model before predicts as `before`, as `after`, as another class; None where it predicted
            none of them.
    """

    before: str
    after: str
    images: int
    predicted: tuple[int, int, int] | None


def relabels(difference: Difference, predicted: dict[str, str]) -> list[Relabels]:
    """Every pair of classes with relabels between them, the most frequent first.

    Args:
        difference: of two states.
        predicted: class by path before, from `predictions_before`.
    """
    pairs: dict[tuple[str, str], list[str]] = {}
    for _, label, path, label_before in difference.relabelled.itertuples(index=False, name=None):
        pairs.setdefault((label_before, label), []).append(path)
    found = []
    for (before, after), paths in sorted(pairs.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        opinions = Counter(predicted[path] for path in paths if path in predicted)
        both = opinions[before], opinions[after]
        counts = (*both, opinions.total() - sum(both)) if opinions else None
        found.append(Relabels(before, after, len(paths), counts))
    return found


def predictions_before(difference: Difference) -> dict[str, str]:
    """The predicted class of each relabelled image by its path before, where there is one.

    Of the model of the version before, which has not learned the new labels: of validation and test images its predictions, of
    training images those out of fold.

    Raises:
        DarkroomError: when the predictions are damaged.
    """
    paths = difference.relabelled["path_before"]
    if paths.empty:
        return {}
    with open_revision(difference.before) as revision:
        file = _predictions(revision)
        if file is None:
            return {}
        names = np.array(load_classes(revision.get((INGEST / "classes.json").as_posix())).names)
        try:
            return _read(file, paths, names)
        except (pa.ArrowException, OSError) as error:
            raise DarkroomError(
                f"{FILE} of {difference.before} is damaged ({error}): `dvc repro predict` makes it again"
            ) from None


def _predictions(revision: Revision) -> "ds.Dataset | None":
    """None where that version has none, or where they were not pushed."""
    try:
        if not revision.has(FILE):
            return None
        return ds.dataset(revision.get(FILE))
    except DarkroomError:
        return None


def _read(file: "ds.Dataset", paths: pd.Series, names: np.ndarray) -> dict[str, str]:
    rows = file.to_table(COLUMNS, filter=pc.field("path").isin(pa.array(paths)) & pc.field("damage").is_null())
    found = {}
    for row in rows.to_pylist():
        values = row["logits"] or row["out_of_fold"]
        # Zeros where no model has judged it.
        if values and any(values):
            found[row["path"]] = str(names[int(np.argmax(values))])
    return found


def relabel_matrix(relabels: Sequence[Relabels]) -> tuple[list[str], list[tuple[str, list[int]]]]:
    """Images from class to class: the classes, and how many of each class went to each; empty above `CLASSES`."""
    classes = list(in_label_order({name for each in relabels for name in (each.before, each.after)}))
    if len(classes) > CLASSES:
        return [], []
    images = {(each.before, each.after): each.images for each in relabels}
    rows = [(before, [images.get((before, after), 0) for after in classes]) for before in classes]
    return classes, [(before, row) for before, row in rows if any(row)]


def relabel_table(relabels: Sequence[Relabels]) -> str:
    """A matrix, from class to class, and what the model says; pairs alone where there are too many classes."""
    if not relabels:
        return ""
    classes, counts = relabel_matrix(relabels)
    lines = [[code(name), *(f"{number:,}" if number else "" for number in row)] for name, row in counts]
    matrix = table(["Relabelled from ↓ to →", *map(code, classes)], lines) if lines else ""
    known = [each for each in relabels if each.predicted or not matrix]
    rows = [
        [code(each.before), code(each.after), f"{each.images:,}", *(f"{number:,}" for number in each.predicted or ())]
        for each in known[:PAIRS]
    ]
    heads = ["Relabelled from", "to", "Images", "The model before says: as before", "as after", "another class"]
    pairs = table(heads, [row + [""] * (len(heads) - len(row)) for row in rows]) if rows else ""
    more = f"{len(known) - PAIRS:,} more pairs of classes." if len(known) > PAIRS else ""
    return "\n\n".join(filter(None, [matrix, pairs, more]))
