"""A cache of tables, outside everything that is tracked.

A cache can be computed again: its folder is safe to delete, and one that is damaged is noticed and ignored.
"""

import zlib
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather

from darkroom.runtime.files import read_json, whole_folder, write_json

SUMS = "sums.json"
PIECE = 1 << 20


class TableCache:
    """Some tables in one folder, written and read together."""

    def __init__(self, folder: Path, identity: str) -> None:
        """Args:
        folder: it need not exist.
        identity: of the code and the settings that the tables come from; tables with another one are ignored.
        """
        self._folder = folder
        self._identity = identity

    def load(self, names: Collection[str] | None = None) -> dict[str, pa.Table]:
        """The tables by name; none where there are none, or where they are damaged or have another identity, with a message.

        Args:
            names: of those to read; None for all.
        """
        if not self._folder.exists():
            return {}
        try:
            sums = read_json(self._folder / SUMS)
            identity, crcs = sums["identity"], sums["crc32"]
            crcs = crcs if names is None else {name: crcs[name] for name in names}
            contents = {name: (self._folder / f"{name}.arrow").read_bytes() for name in crcs}
        except (OSError, ValueError, LookupError, TypeError) as error:
            return self._ignore(f"is damaged ({error})")
        for name, content in contents.items():
            if zlib.crc32(content) != crcs[name]:
                return self._ignore(f"is damaged ({name}.arrow)")
        if identity != self._identity:
            return self._ignore("was made with another version or other settings")
        return {name: feather.read_table(pa.BufferReader(content)) for name, content in contents.items()}

    def _ignore(self, why: str) -> dict[str, pa.Table]:
        print(f"the cache {self._folder} {why}: it is computed again")
        return {}

    def save(self, tables: dict[str, pa.Table]) -> None:
        """Replace all tables."""
        with whole_folder(self._folder) as folder:
            for name, table in tables.items():
                feather.write_feather(table, str(folder / f"{name}.arrow"), compression="uncompressed")
            sums = {name: _checksum(folder / f"{name}.arrow") for name in tables}
            write_json(folder / SUMS, {"identity": self._identity, "crc32": sums})


def _checksum(file: Path) -> int:
    """CRC-32 of a file, read piece by piece."""
    found = 0
    with file.open("rb") as opened:
        while piece := opened.read(PIECE):
            found = zlib.crc32(piece, found)
    return found
