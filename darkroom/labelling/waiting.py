"""Images that may be asked: where champion and candidate disagree, the samples of the service, folders that a user names."""

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
from tqdm import tqdm

from darkroom.images.shards import read_shards
from darkroom.predict.listing import Refusal, list_images
from darkroom.runtime.checked_table import read_checked_table
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.runtime.paths import INGEST
from darkroom.sources.image_files import read_image_file

HASH = re.compile("[0-9a-f]{64}")
# Where the bytes of an image of the data are: shard, offset, length.
SHARD_PLACE = re.compile(r"((?:[0-9a-f]{2}/)?[^:/]+):(\d+):(\d+)")
DISAGREEMENTS = Path("reports/gate/disagreements.parquet")
COLUMNS = pa.schema(
    [
        pa.field("order", pa.int32(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("place", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)
# Where retraining notes the folder of the candidate that is held, whose data has the images.
LAST_RETRAINING = Path(".darkroom/retrain/last.json")


@dataclass(frozen=True)
class WaitingImage:
    """An image that may be asked.

    Attributes:
        sha256: of its bytes, in hex.
        read: gives its bytes; raises OSError when it can't be read.
        share: the fraction of the images of its day that the service stored; 1 for other images.
        text: where it is from, for people.
    """

    sha256: str
    read: Callable[[], bytes]
    share: float = 1.0
    text: str = ""


def sampled_images(samples: Path) -> Iterator[WaitingImage]:
    """The images that the service stored, newest day first.

    Args:
        samples: of the service, a folder for each day with `day.json`; none is as one without an image.

    Raises:
        DarkroomError: when a `day.json` is damaged.
    """
    for day in sorted((path for path in samples.glob("*") if path.is_dir()), reverse=True):
        files = [path for path in sorted(day.iterdir()) if HASH.fullmatch(path.stem)]
        share = _share(day / "day.json", len(files))
        for path in files:
            yield WaitingImage(path.stem, partial(read_image_file, path), share, f"from the service, {day.name}")


def _share(file: Path, images: int) -> float:
    try:
        answered = int(json.loads(file.read_bytes())["answered"])
    except FileNotFoundError:
        return 1.0
    except (ValueError, TypeError, KeyError) as error:
        raise DarkroomError(f"{file} is damaged ({error}): remove the folder of that day") from None
    return min(1.0, images / answered) if answered > 0 else 1.0


def images_in_folders(names: Sequence[str]) -> Iterator[WaitingImage]:
    """The images in folders, or files, that a user names.

    Raises:
        DarkroomError: when one of them is not there, or holds no image.
    """
    paths = []
    for found in list_images(names, io.BytesIO()):
        if isinstance(found, Refusal):
            raise DarkroomError(f"{found.path}: {found.error}")
        paths.append(found)
    for path in tqdm(paths, "hash", unit="img", disable=None):
        try:
            sha256 = file_hash(path)
        except OSError as error:
            raise DarkroomError(f"{path} can't be read: {error.strerror}; fix it, or leave it out") from None
        # Without its folder, which may be a class that somebody suspects.
        yield WaitingImage(sha256, partial(read_image_file, path), 1.0, path.name)


def read_disagreements(root: Path) -> list[tuple[WaitingImage, bool]]:
    """The images on which a held candidate and the champion disagree, in the order of the gate.

    Args:
        root: of the repository.

    Returns:
        Each with whether it is an image of the data set; none where no candidate is held.

    Raises:
        DarkroomError: when the table is damaged.
    """
    path = root / DISAGREEMENTS
    try:
        table = read_checked_table(path, COLUMNS, str(path), "run the gate again: python -m darkroom.gate")
    except FileNotFoundError:
        return []
    folders = [root / INGEST / "shards"]
    if held := _held_candidate(root):
        folders.insert(0, held / INGEST / "shards")
    rows = sorted(table.to_pylist(), key=lambda row: row["order"])
    return [
        (
            WaitingImage(row["sha256"], partial(_read_place, row["place"], row["sha256"], folders, root)),
            row["split"] != "unlabelled",
        )
        for row in rows
    ]


def _held_candidate(root: Path) -> Path | None:
    try:
        return root / str(json.loads((root / LAST_RETRAINING).read_bytes())["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the images may be in this folder's own data, too


def _read_place(place: str, sha256: str, shards: Sequence[Path], root: Path) -> bytes:
    """The bytes at a place of the gate's table; those of another image are none."""
    found = SHARD_PLACE.fullmatch(place)
    for folder in shards if found else ():
        assert found
        if (folder / f"{found[1]}.bin").is_file():
            (data,) = read_shards(folder, [(found[1], int(found[2]), int(found[3]))])
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
    if found:
        raise FileNotFoundError(2, "its shard is not there, or another one", place)
    return read_image_file(root / place)
