"""Decode and resize every image once, so that no epoch ever decodes again.

Reads: data/ingest/ (manifest, shards, classes), data/split/splits.parquet.
Writes: data/preprocess/: images.npy, labels.npy and ids.npy for each split; stats.json from the training split alone.
Costs: one decoding an image; size * size * channels bytes an image on disk.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.classes import ClassList, load_classes
from darkroom.errors import DarkroomError
from darkroom.images.packing import choose_channels, choose_size, mean_and_std, pack
from darkroom.images.shards import read_shards
from darkroom.images.splitting import SPLITS
from darkroom.params import read_params
from darkroom.stage import stage
from darkroom.writing import whole_folder, write_json

INGEST, SPLITS_TABLE, OUT = Path("data/ingest"), Path("data/split/splits.parquet"), Path("data/preprocess")


def run(ingest: Path, splits: Path, size: int | str, channels: int | str, resize: str, out: Path) -> None:
    """Pack each split.

    Args:
        ingest: the folder that the ingest stage wrote.
        splits: the split stage's table.
        size: side of the square in pixels, or `auto`.
        channels: 1, 3, or `auto`.
        resize: `crop`, `pad` or `stretch`.
        out: the folder to write.
    """
    classes = load_classes(ingest / "classes.json")
    manifest = pq.read_table(ingest / "manifest.parquet")
    table = pq.read_table(splits)
    if not manifest["id"].equals(table["id"]):
        raise DarkroomError(
            f"{splits} does not belong to {ingest / 'manifest.parquet'}: run `dvc repro` to make it anew"
        )
    pixels, planes = _shape(manifest, size, channels)
    with whole_folder(out) as folder:
        for split in SPLITS:
            rows = manifest.filter(pc.equal(table["split"], split))
            _pack_split(rows, classes, ingest / "shards", pixels, planes, resize, folder / split)
        mean, std = mean_and_std(np.load(folder / "train" / "images.npy", mmap_mode="r"))
        write_json(
            folder / "stats.json",
            {
                "size": pixels,
                "channels": planes,
                "resize": resize,
                "mean": mean,
                "std": std,
                "class_hash": classes.hash,
                "images": {split: len(np.load(folder / split / "labels.npy")) for split in SPLITS},
            },
        )


def _shape(manifest: pa.Table, size: int | str, channels: int | str) -> tuple[int, int]:
    """Side and channels of what the network will see, announced where they were chosen for the user."""
    if size == "auto":
        size = choose_size(manifest["width"].to_numpy(), manifest["height"].to_numpy())
        print(f"preprocess: size {size}, from the median shorter side (set preprocess.size to change it)")
    if channels == "auto":
        channels = choose_channels(set(manifest["mode"].to_pylist()))
        found = "every image is grey" if channels == 1 else "there are colour images"
        print(f"preprocess: channels {channels}, since {found} (set preprocess.channels to change it)")
    return int(size), int(channels)


def _pack_split(
    rows: pa.Table, classes: ClassList, shards: Path, size: int, channels: int, resize: str, folder: Path
) -> None:
    folder.mkdir()
    position = {name: index for index, name in enumerate(classes.names)}
    np.save(folder / "labels.npy", np.array([position[label] for label in rows["label"].to_pylist()], dtype=np.int64))
    np.save(folder / "ids.npy", np.array(rows["id"].to_pylist(), dtype="S16"))
    places = zip(rows["shard"].to_pylist(), rows["offset"].to_pylist(), rows["bytes"].to_pylist(), strict=True)
    pack(read_shards(shards, places), len(rows), size, channels, resize, folder / "images.npy")


def main() -> None:
    with stage("preprocess"):
        params = read_params().preprocess
        run(INGEST, SPLITS_TABLE, params.size, params.channels, params.resize, OUT)


if __name__ == "__main__":
    main()
