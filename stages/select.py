"""Choose the network, and what it starts from, for the images at hand.

Reads: data/ingest/ (manifest, shards, class list), data/split/splits.parquet, and its own plan of the previous run.
Writes: models/select/choice.json: the settings of `train` that stand in place of `auto`, why, and what else was tried.
Costs: nothing where `train.network` is set or the images are small; else features of some hundred training images, which
    `train` finds again. `train.budget` bounds it.
"""

from pathlib import Path

import pyarrow.compute as pc

from darkroom.images.range_rows import shorter_sides
from darkroom.runtime.inputs import read_input_table
from darkroom.runtime.paths import FEATURE_CACHE, IMAGE_CACHE, INGEST, SELECTION, SPLIT_TABLE
from darkroom.runtime.stage import stage
from darkroom.selection.candidates import backbones, learns_from_nothing, shorter_side
from darkroom.selection.choice import Choice, choice_lines, stored_plan, write_choice
from darkroom.settings.base import read_section
from darkroom.settings.ingest import Ingest
from darkroom.settings.networks import AUTO, SMALL_IMAGE_NET
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.train import Train


def run(
    *,
    ingest: Path,
    splits: Path,
    train: Train,
    preprocess: Preprocess,
    decoder: str,
    cache: Path,
    features: Path | None,
    out: Path,
) -> None:
    """Choose.

    Args:
        ingest: the folder that the ingest stage wrote.
        splits: the split stage's table.
        train, preprocess: the sections of the parameters; what is set there is never changed.
        decoder: `turbo`, `opencv` or `pillow`.
        cache, features: where pixels and features are cached from run to run; safe to delete.
        out: the folder to write; the plan in it counts again.

    Raises:
        DarkroomError: when weights that are set are not on this machine.
    """
    choice = _without_search(ingest, splits, train, preprocess)
    if choice is None:
        # Here: torch takes seconds.
        from darkroom.selection.choose import choose_backbone

        stored = stored_plan(out)
        choice = choose_backbone(
            ingest=ingest,
            splits=splits,
            train=train,
            preprocess=preprocess,
            decoder=decoder,
            cache=cache,
            features=features,
            stored=stored,
        )
    write_choice(choice, out)
    print("\n".join(f"select: {line}" for line in choice_lines(choice, train.network)))


def _without_search(ingest: Path, splits: Path, train: Train, preprocess: Preprocess) -> Choice | None:
    """The choice where there is none, or where a rule makes it; None where candidates are to be compared."""
    small = {"network": SMALL_IMAGE_NET}
    if train.network != AUTO:
        return Choice({}, "train.network is set", [], {})
    if train.weights == "none":
        return Choice(small, "train.weights=none leaves out pretrained networks", [], {})
    if train.weights == AUTO:
        side = shorter_side(shorter_sides(ingest), preprocess.size)
        images = pc.sum(pc.equal(read_input_table(splits, ["split"])["split"], "train")).as_py() or 0
        if learns_from_nothing(side, images):
            return Choice(small, f"the images are small ({side} pixels), {images:,} of them to learn from", [], {})
        if not backbones(train.weights):
            return Choice(small, "no weights of a pretrained network are installed on this machine", [], {})
    return None


def main() -> None:
    with stage("select"):
        run(
            ingest=INGEST,
            splits=SPLIT_TABLE,
            train=read_section(Train),
            preprocess=read_section(Preprocess),
            decoder=read_section(Ingest).decoder,
            cache=IMAGE_CACHE,
            features=FEATURE_CACHE,
            out=SELECTION,
        )


if __name__ == "__main__":
    main()
