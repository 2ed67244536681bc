"""Place every image in one of train, validation and test.

Reads: data/ingest/manifest.parquet, data/ingest/classes.json, data/validate/groups.parquet.
Writes: data/split/splits.parquet: id, split, group.
Costs: a second for a million images.
"""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.classes import ClassList, load_classes
from darkroom.errors import DarkroomError
from darkroom.images.splitting import SPLITS, assign_splits
from darkroom.params import read_params
from darkroom.stage import stage
from darkroom.writing import whole_folder

INGEST, GROUPS, OUT = Path("data/ingest"), Path("data/validate/groups.parquet"), Path("data/split")


def run(ingest: Path, groups: Path, validation: float, test: float, seed: int, out: Path) -> None:
    """Split the images of a manifest.

    Args:
        ingest: the folder that the ingest stage wrote.
        groups: the table id, group of the validate stage, a row for each image.
        validation, test: shares, as in `assign_splits`.
        seed: likewise.
        out: the folder to write.

    Raises:
        DarkroomError: when a class has no image in one of the splits.
    """
    classes = load_classes(ingest / "classes.json")
    manifest = pq.read_table(ingest / "manifest.parquet", columns=["id", "label", "source_split"])
    grouped = pq.read_table(groups)
    if not manifest["id"].equals(grouped["id"]):
        raise DarkroomError(
            f"{groups} does not belong to {ingest / 'manifest.parquet'}: run `dvc repro` to make it anew"
        )
    labels = manifest["label"].to_pylist()
    splits = assign_splits(grouped["group"].to_pylist(), manifest["source_split"].to_pylist(), validation, test, seed)
    counts = Counter(zip(splits, labels, strict=True))
    _require_every_class(counts, classes)
    with whole_folder(out) as folder:
        table = pa.table({"id": manifest["id"], "split": pa.array(splits), "group": grouped["group"]})
        pq.write_table(table, folder / "splits.parquet")
    totals = Counter(splits)
    shares = ", ".join(f"{name} {totals[name]:,} ({totals[name] / len(splits):.1%})" for name in SPLITS)
    print(f"split: {shares}")
    if "test" not in manifest["source_split"].to_pylist():
        print(_furthest(counts, classes, test))


def _furthest(counts: Counter[tuple[str, str]], classes: ClassList, test: float) -> str:
    """The class whose share of test images is furthest from the wish: each is drawn, and small classes vary most."""
    totals = {name: sum(counts[split, name] for split in SPLITS) for name in classes.names}
    name = max(classes.names, key=lambda name: abs(counts["test", name] / totals[name] - test))
    found = counts["test", name]
    return (
        f"  furthest from {test:.0%} for test: {name} with {found / totals[name]:.1%} ({found:,} of {totals[name]:,}); another "
        "split.seed draws anew"
    )


def _require_every_class(counts: Counter[tuple[str, str]], classes: ClassList) -> None:
    """A class without training images can't be learned, and one without the others can't be judged."""
    missing = [(split, name) for name in classes.names for split in SPLITS if not counts[split, name]]
    if not missing:
        return
    lines = []
    for split, name in missing:
        total = sum(counts[each, name] for each in SPLITS)
        lines.append(f"\n  {name}: none of its {total} images fell into {split}")
    raise DarkroomError(
        "some classes are too small to be in every split:"
        + "".join(lines)
        + "\nadd images to these classes (40 make an empty split of a tenth a 1.5% chance), "
        "raise split.validation or split.test, or try another split.seed"
    )


def main() -> None:
    with stage("split"):
        params = read_params().split
        run(INGEST, GROUPS, params.validation, params.test, params.seed, OUT)


if __name__ == "__main__":
    main()
