"""Tables that are kept from run to run to save work, outside everything that is tracked.

All of it can be made again: the folders are safe to delete, and what is not as it was written is noticed and left aside.
"""

import json
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather

from darkroom.runtime.files import whole_folder, write_json

SUMS = "sums.json"


class KeptTables:
    """Some tables in one folder, written and taken together."""

    def __init__(self, folder: Path, identity: str) -> None:
        """Args:
        folder: it need not exist.
        identity: says what the tables were made by; those made by something else are left aside.
        """
        self._folder = folder
        self._identity = identity

    def load(self) -> dict[str, pa.Table]:
        """The tables by name; none where there are none, or where they are damaged or made otherwise, which is said."""
        if not self._folder.exists():
            return {}
        try:
            sums = json.loads((self._folder / SUMS).read_text(encoding="utf-8"))
            identity, crcs = sums["identity"], sums["crc32"]
            contents = {name: (self._folder / f"{name}.arrow").read_bytes() for name in crcs}
        except (OSError, ValueError, LookupError, TypeError) as error:
            return self._leave(f"is damaged ({error})")
        for name, content in contents.items():
            if zlib.crc32(content) != crcs[name]:
                return self._leave(f"is damaged ({name}.arrow)")
        if identity != self._identity:
            return self._leave("was made with another version or other settings")
        return {name: feather.read_table(pa.BufferReader(content)) for name, content in contents.items()}

    def _leave(self, why: str) -> dict[str, pa.Table]:
        print(f"what was kept in {self._folder} {why}: it is made again")
        return {}

    def save(self, tables: dict[str, pa.Table]) -> None:
        """Replace what is kept."""
        with whole_folder(self._folder) as folder:
            for name, table in tables.items():
                feather.write_feather(table, str(folder / f"{name}.arrow"), compression="uncompressed")
            sums = {name: zlib.crc32((folder / f"{name}.arrow").read_bytes()) for name in tables}
            write_json(folder / SUMS, {"identity": self._identity, "crc32": sums})
