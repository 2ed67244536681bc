"""Assign every image to one of train, validation and test.

Reads: data/ingest/ (manifest, class list), data/validate/groups.parquet, and its own table of the previous run.
Writes: data/split/: splits.parquet (id, split, group, fold, source_split, content), a row group for each range; excluded.json,
    the images in no split with the reason.
Costs: 2 s and 260 MiB for a million images.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkroom.images.manifest import manifest_ranges
from darkroom.images.range_rows import ManifestPaths
from darkroom.model.classes import load_classes
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.inputs import read_input_slices
from darkroom.runtime.paths import EXCLUDED_IMAGES, GROUPS, INGEST, SPLIT_TABLE
from darkroom.runtime.stage import stage
from darkroom.runtime.text import one_a_line
from darkroom.settings.base import read_section
from darkroom.settings.split import Split
from darkroom.splits.assignment import assign
from darkroom.splits.excluded import excluded_images
from darkroom.splits.previous_split import read_previous_split
from darkroom.splits.rule import SplitConfig
from darkroom.splits.split_input import read_split_input
from darkroom.splits.summary import require_every_class, summary_lines
from darkroom.splits.table import SplitResult, write_split_table


def run(*, ingest: Path, groups: Path, config: SplitConfig, fold: int, previous: Path | None, out: Path) -> None:
    """Split the images of a manifest.

    Args:
        ingest: the folder that the ingest stage wrote.
        groups: the table id, group of the validate stage, a row for each image.
        config: the settings of the split.
        fold: with folds, the one that validates.
        previous: the table of the previous run, whose images keep their split; None without one. It may be in `out`.
        out: the folder to write.

    Raises:
        DarkroomError: when a class has no image in one of the splits, when a date is set and images have no timestamp, when
            the groups are of another manifest, or when `previous` can't be read.
    """
    classes = load_classes(ingest / "classes.json")
    images = read_split_input(ingest, groups, config, classes.names)
    previous_split = read_previous_split(previous, config, images)
    assignment = assign(images, config, previous_split.partitions)
    from_nothing = assignment.partitions if previous is None else assign(images, config).partitions
    result = SplitResult(ManifestPaths(ingest), images, previous_split, assignment, from_nothing, config, fold)
    require_every_class(result)
    with whole_folder(out) as folder:
        lengths = [each.images for each in manifest_ranges(ingest)]
        parts = read_input_slices(groups, ["id", "group"], lengths)
        write_split_table(parts, images, result.partitions, config, fold, folder / SPLIT_TABLE.name)
        write_json(folder / EXCLUDED_IMAGES.name, excluded_images(result))
    print(one_a_line(summary_lines(result)))


@contextmanager
def previous_table(table: Path) -> Iterator[Path | None]:
    """The table of the previous run: in its place, or else from DVC's cache or remote where dvc.lock has it."""
    if table.exists() or not Path("dvc.lock").exists():
        yield table if table.exists() else None
        return
    from darkroom.runtime.revisions import open_locked

    with open_locked() as locked:
        try:
            found = locked.get(str(table)) if locked.has(str(table)) else None
        except DarkroomError as error:
            found = None
            print(f"split: {error}")
            print("  without it the rule alone assigns every image, and near-copies may move to another split")
        yield found


def main() -> None:
    with stage("split"):
        params = read_section(Split)
        config = SplitConfig(
            params.validation, params.test, params.seed, params.folds, params.validation_from, params.test_from
        )
        with previous_table(SPLIT_TABLE) as previous:
            run(
                ingest=INGEST,
                groups=GROUPS,
                config=config,
                fold=params.fold,
                previous=previous,
                out=SPLIT_TABLE.parent,
            )


if __name__ == "__main__":
    main()
