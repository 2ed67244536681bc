"""Decode and resize every image once, so that no epoch ever decodes again.

Reads: data/ingest/ (manifest, shards, classes), data/split/splits.parquet, models/select/choice.json.
Writes: data/preprocess/: stats.json; for each split receipt.json, a file of pixels for each range of images, labels.npy,
    ids.npy; .darkroom/cache/ranges: what each file was made from. A file whose images are as before stays.
Costs: one decoding for each new image; size * size * channels bytes an image on disk.
"""

from pathlib import Path

from darkroom.images.manifest import manifest_ranges
from darkroom.images.pack import PixelForm, choose_channels, choose_size, mean_and_std
from darkroom.images.packing import pack_splits
from darkroom.images.range_rows import modes, shorter_sides
from darkroom.model.classes import load_classes
from darkroom.model.depth import load_depth
from darkroom.network.pretrained_input import PretrainedInput, pretrained_input
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.paths import ARRAYS, IMAGE_CACHE, INGEST, SELECTION, SPLIT_TABLE
from darkroom.runtime.stage import stage
from darkroom.selection.apply import with_choice
from darkroom.settings.base import read_section
from darkroom.settings.ingest import Ingest
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.train import Train
from darkroom.splits.rule import SPLITS


def run(
    *,
    ingest: Path,
    splits: Path,
    settings: Preprocess,
    decoder: str,
    cache: Path,
    out: Path,
    weights: PretrainedInput | None = None,
) -> None:
    """Pack each split; the statistics are of the training split alone, or come with the weights.

    Args:
        ingest, splits: the folder that the ingest stage wrote, and the split stage's table.
        settings: size, channels, and how an image becomes square.
        decoder: `turbo`, `opencv` or `pillow`.
        cache: where pixels are cached from run to run; safe to delete.
        out: the folder to write.
        weights: the input of the weights that the training starts from; None where it starts from none.
    """
    classes = load_classes(ingest / "classes.json")
    size, channels = _shape(ingest, settings, weights)
    depth = load_depth(ingest)
    form = PixelForm(size, channels, settings.resize, decoder, depth)
    with whole_folder(out) as folder:
        counted = None if weights else "train"
        packed = pack_splits(ingest, splits, SPLITS, classes, form, counted, cache, out, folder)
        mean, std = weights.for_channels(channels) if weights else mean_and_std(packed.counts("train", channels))
        stats = {
            "size": size,
            "channels": channels,
            "resize": settings.resize,
            "decoder": decoder,
            "mean": mean,
            "std": std,
            "statistics_of": weights.source if weights else "the training images",
            "class_hash": classes.hash,
            "images": packed.images,
        }
        write_json(folder / "stats.json", stats | ({"depth": depth.to_dict()} if depth else {}))
    packed.save()
    images = sum(each.images for each in manifest_ranges(ingest))
    print(f"preprocess: {images:,} images, {packed}")


def _shape(ingest: Path, settings: Preprocess, weights: PretrainedInput | None) -> tuple[int, int]:
    """Side and channels of the network's input, printed where they are not set."""
    size: int | str = settings.size
    channels: int | str = settings.channels
    if size == "auto":
        size = weights.size if weights else choose_size(shorter_sides(ingest))
        why = f"which {weights.source} were made for" if weights else "from the median shorter side"
        print(f"preprocess: size {size}, {why} (set preprocess.size to change it)")
    if channels == "auto":
        channels = len(weights.mean) if weights else choose_channels(modes(ingest))
        why = f"since {'every image is grey' if channels == 1 else 'there are colour images'}"
        why = f"which {weights.source} take" if weights else why
        print(f"preprocess: channels {channels}, {why} (set preprocess.channels to change it)")
    if weights:
        weights.for_channels(int(channels))
        print(f"preprocess: pixels are normalised as {weights.source} have it, not by the training images")
    return int(size), int(channels)


def main() -> None:
    with stage("preprocess"):
        train = with_choice(read_section(Train), SELECTION)
        run(
            ingest=INGEST,
            splits=SPLIT_TABLE,
            settings=read_section(Preprocess),
            decoder=read_section(Ingest).decoder,
            cache=IMAGE_CACHE,
            out=ARRAYS,
            weights=pretrained_input(train.network, train.weights),
        )


if __name__ == "__main__":
    main()
