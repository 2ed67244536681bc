"""Decode and resize every image once, so that no epoch ever decodes again.

Reads: data/ingest/ (manifest, shards, classes), data/split/splits.parquet.
Writes: data/preprocess/: images.npy, labels.npy and ids.npy for each split; stats.json from the
    training split alone, or from the weights that the training starts from.
    .darkroom/cache/pixels: the same rows, for the next run.
Costs: one decoding for each new image; size * size * channels bytes an image on disk.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.images.cache import PixelCache, decoding_identity
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import choose_channels, choose_size, mean_and_std, pack
from darkroom.model.classes import ClassList, load_classes
from darkroom.network.pretrained_input import PretrainedInput, pretrained_input
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.stage import stage
from darkroom.settings.base import read_section
from darkroom.settings.ingest import Ingest
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.train import Train
from darkroom.splits.rule import SPLITS

INGEST, SPLITS_TABLE, OUT = Path("data/ingest"), Path("data/split/splits.parquet"), Path("data/preprocess")
SEEN = Path(".darkroom/cache")
COLUMNS = ["id", "sha256", "label", "width", "height", "mode", "bytes", "shard", "offset"]


def run(
    ingest: Path,
    splits: Path,
    size: int | str,
    channels: int | str,
    resize: str,
    decoder: str,
    seen: Path,
    out: Path,
    weights: PretrainedInput | None = None,
) -> None:
    """Pack each split.

    Args:
        ingest: the folder that the ingest stage wrote.
        splits: the split stage's table.
        size: side of the square in pixels, or `auto`.
        channels: 1, 3, or `auto`.
        resize: `crop`, `pad` or `stretch`.
        decoder: `turbo`, `opencv` or `pillow`.
        seen: where pixels are kept from run to run; safe to delete.
        out: the folder to write.
        weights: what the weights that the training starts from were made for; None where it starts from none.
    """
    classes = load_classes(ingest / "classes.json")
    manifest = read_manifest(ingest, COLUMNS)
    table = pq.read_table(splits)
    if not manifest["id"].equals(table["id"]):
        raise DarkroomError(f"{splits} does not belong to {ingest / 'manifest'}: run `dvc repro` to make it anew")
    pixels, planes = _shape(manifest, size, channels, weights)
    known = PixelCache(seen / "pixels", f"{resize} {decoding_identity(decoder)}", (pixels, pixels, planes))
    decoded = 0
    with whole_folder(out) as folder:
        for split in SPLITS:
            rows = manifest.filter(pc.equal(table["split"], split))
            (folder / split).mkdir()
            _describe(rows, classes, folder / split)
            decoded += pack(
                rows, ingest / "shards", pixels, planes, resize, decoder, known, folder / split / "images.npy"
            )
        known.save()
        if weights:
            mean, std = weights.for_channels(planes)
        else:
            mean, std = mean_and_std(np.load(folder / "train" / "images.npy", mmap_mode="r"))
        write_json(
            folder / "stats.json",
            {
                "size": pixels,
                "channels": planes,
                "resize": resize,
                "decoder": decoder,
                "mean": mean,
                "std": std,
                "statistics_of": weights.source if weights else "the training images",
                "class_hash": classes.hash,
                "images": {split: len(np.load(folder / split / "labels.npy")) for split in SPLITS},
            },
        )
    print(f"preprocess: {len(manifest):,} images, {decoded:,} of them decoded, the others were in the cache")


def _shape(
    manifest: pa.Table, size: int | str, channels: int | str, weights: PretrainedInput | None
) -> tuple[int, int]:
    """Side and channels of what the network will see, announced where they were chosen for the user."""
    if weights:
        return _shape_of_weights(size, channels, weights)
    if size == "auto":
        size = choose_size(manifest["width"].to_numpy(), manifest["height"].to_numpy())
        print(f"preprocess: size {size}, from the median shorter side (set preprocess.size to change it)")
    if channels == "auto":
        channels = choose_channels(set(manifest["mode"].to_pylist()))
        found = "every image is grey" if channels == 1 else "there are colour images"
        print(f"preprocess: channels {channels}, since {found} (set preprocess.channels to change it)")
    return int(size), int(channels)


def _shape_of_weights(size: int | str, channels: int | str, weights: PretrainedInput) -> tuple[int, int]:
    if size == "auto":
        size = weights.size
        print(f"preprocess: size {size}, which {weights.source} were made for (set preprocess.size to change it)")
    if channels == "auto":
        channels = len(weights.mean)
        print(f"preprocess: channels {channels}, which {weights.source} take (set preprocess.channels to change it)")
    weights.for_channels(int(channels))
    print(f"preprocess: pixels are normalised as {weights.source} have it, not by the training images")
    return int(size), int(channels)


def _describe(rows: pa.Table, classes: ClassList, folder: Path) -> None:
    """Labels and ids of the images of a split, beside their pixels."""
    position = {name: index for index, name in enumerate(classes.names)}
    np.save(folder / "labels.npy", np.array([position[label] for label in rows["label"].to_pylist()], dtype=np.int64))
    np.save(folder / "ids.npy", np.array(rows["id"].to_pylist(), dtype="S16"))


def main() -> None:
    with stage("preprocess"):
        shape, train = read_section(Preprocess), read_section(Train)
        weights = pretrained_input(train.network, train.weights)
        run(
            INGEST,
            SPLITS_TABLE,
            shape.size,
            shape.channels,
            shape.resize,
            read_section(Ingest).decoder,
            SEEN,
            OUT,
            weights,
        )


if __name__ == "__main__":
    main()
