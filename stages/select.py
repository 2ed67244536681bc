"""Choose the network, and what it starts from, for the images at hand.

Reads: data/ingest/ (manifest), data/split/splits.parquet.
Writes: models/select/choice.json: the settings of `train` that stand in place of `auto`, why, and what else was tried.
Costs: nothing where `train.network` is set.
"""

from pathlib import Path

from darkroom.images.manifest import read_manifest
from darkroom.network.pretrained_input import LITE0
from darkroom.runtime.paths import INGEST, SELECTION, SPLIT_TABLE
from darkroom.runtime.stage import stage
from darkroom.selection.candidates import SMALL_SIDE, backbones, shorter_side
from darkroom.selection.choice import Choice, write_choice
from darkroom.settings.base import read_section
from darkroom.settings.networks import AUTO, SMALL_IMAGE_NET
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.train import Train


def run(*, ingest: Path, splits: Path, train: Train, preprocess: Preprocess, out: Path) -> None:
    """Choose.

    Args:
        ingest: the folder that the ingest stage wrote.
        splits: the split stage's table.
        train, preprocess: the sections of the parameters; what is set there is never changed.
        out: the folder to write.
    """
    choice = _choose(ingest, train, preprocess)
    write_choice(choice, out)
    print(f"select: {choice.settings.get('network', train.network)}, {choice.reason}")


def _choose(ingest: Path, train: Train, preprocess: Preprocess) -> Choice:
    if train.network != AUTO:
        return Choice({}, "as train.network has it", [], {})
    if train.weights == "none":
        return Choice({"network": SMALL_IMAGE_NET}, "since train.weights=none leaves out pretrained networks", [], {})
    manifest = read_manifest(ingest, ["width", "height"])
    side = shorter_side(manifest["width"].to_numpy(), manifest["height"].to_numpy(), preprocess.size)
    given = train.weights in ("imagenet", "download")
    if side <= SMALL_SIDE and not given:
        return Choice({"network": SMALL_IMAGE_NET}, f"since the images are small ({side} pixels)", [], {})
    if not backbones() and not given:
        return Choice({"network": SMALL_IMAGE_NET}, "since no pretrained weights are on this machine", [], {})
    settings = {"network": LITE0, "weights": "imagenet", "pooling": "grid", "freeze": "backbone"}
    settings |= {name: getattr(train, name) for name in settings.keys() - {"network"} if getattr(train, name) != AUTO}
    return Choice(settings, f"since the images are photographs ({side} pixels)", [], {})


def main() -> None:
    with stage("select"):
        run(
            ingest=INGEST,
            splits=SPLIT_TABLE,
            train=read_section(Train),
            preprocess=read_section(Preprocess),
            out=SELECTION,
        )


if __name__ == "__main__":
    main()
