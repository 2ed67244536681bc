"""What was learned of images, kept from run to run by the hash of their bytes, so that none is opened twice."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.manifest import MEASURED
from darkroom.images.measure import THUMBNAIL_SIDE
from darkroom.runtime.cache import KeptTables

# A row for each content: what the manifest tells of it, or why it is rejected, and where the shards of the run hold its bytes.
FACTS = pa.schema(
    [
        ("sha256", pa.string()),
        *MEASURED,
        ("reason", pa.string()),
        ("shard", pa.string()),
        ("offset", pa.int64()),
        ("thumbnail", pa.binary(THUMBNAIL_SIDE * THUMBNAIL_SIDE)),
    ]
)
STAMPS = pa.schema([("stamp", pa.string()), ("sha256", pa.string())])
SHARDS = pa.schema([("name", pa.string()), ("crc32", pa.uint32())])
# The code and the packages that decide what is learned of an image, and how it is packed.
OPENERS = (
    "decode.py",
    "decoded.py",
    "examine.py",
    "measure.py",
    "jpeg_turbo.py",
    "opencv_decoder.py",
    "orientation.py",
    "pillow_decoder.py",
    "pixels.py",
)
PACKAGES = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")


class SeenImages:
    """What is known when a run starts.

    Attributes:
        facts: a row for each content, with the columns of `FACTS`.
        stamps: mark of an archive's entry → SHA-256 of its bytes.
        shard_sums: name → CRC-32 of each shard that the run before wrote.
    """

    def __init__(self, folder: Path, decoder: str) -> None:
        """Open what is kept.

        Args:
            folder: `.darkroom/seen`; it need not exist.
            decoder: what was learned with another one is left aside.
        """
        self._tables = KeptTables(folder / "images", f"{opening_identity(decoder)} {', '.join(FACTS.names)}")
        self._kept = self._tables.load()
        self.facts = self._kept.get("facts", FACTS.empty_table()).combine_chunks()

    @cached_property
    def stamps(self) -> dict[str, str]:
        return dict(zip(*self._kept.get("stamps", STAMPS.empty_table()).to_pydict().values(), strict=True))

    @cached_property
    def shard_sums(self) -> dict[str, int]:
        return dict(zip(*self._kept.get("shards", SHARDS.empty_table()).to_pydict().values(), strict=True))

    def thumbnails(self) -> npt.NDArray[np.uint8]:
        """The thumbnail of each row of `facts`, uint8 [N, 32, 32], not copied; of a row that has none, anything."""
        column = self.facts["thumbnail"].combine_chunks()
        content = np.frombuffer(column.buffers()[1] or b"", np.uint8)
        side = THUMBNAIL_SIDE
        return content.reshape(-1, side, side)[column.offset : column.offset + len(column)]

    def rows(self, hashes: Sequence[str | None]) -> npt.NDArray[np.int64]:
        """The row of each content in `facts`, -1 where it is not known; int64 [N]."""
        known = self.facts["sha256"].combine_chunks()
        found = pc.index_in(pa.array(hashes, pa.string()), known, skip_nulls=True).fill_null(-1)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)

    def save(self, facts: pa.Table, stamps: dict[str, str], shard_sums: dict[str, int]) -> None:
        """Replace what is kept by what is known now; the arguments are as the attributes."""
        self._tables.save(
            {
                "facts": facts,
                "stamps": pa.table([list(stamps), list(stamps.values())], schema=STAMPS),
                "shards": pa.table([list(shard_sums), list(shard_sums.values())], schema=SHARDS),
            }
        )


def opening_identity(decoder: str) -> str:
    """What decides how a file is opened: the decoder, the code and the packages."""
    digest = hashlib.sha256()
    for file in OPENERS:
        digest.update((Path(__file__).parent / file).read_bytes())
    return " ".join([decoder, digest.hexdigest(), *(f"{package}=={version(package)}" for package in PACKAGES)])
