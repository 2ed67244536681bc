"""The parts of the last survey: one that is made from the same stays the file that it is, and is not made again."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from darkroom.runtime.cache import TableCache
from darkroom.sources.listing import SurveyRange

# `counts` and `inside` are JSON.
PARTS = pa.schema(
    [
        *((name, pa.string()) for name in ("mark", "name", "sha256", "rows_sha256", "counts", "inside")),
        ("images", pa.int64()),
    ]
)


@dataclass(frozen=True)
class SurveyPart:
    """A part of a survey.

    Attributes:
        mark: what changes when its rows do.
        range: what the receipt has of it.
        counts: label, split of the source, and number of images.
        inside: file, and how many images are in it, of images that are no files of their own.
    """

    mark: str
    range: SurveyRange
    counts: Sequence[tuple[str, str | None, int]]
    inside: Sequence[tuple[str | None, int]]


class PreviousParts:
    """The parts of the last survey that are still there."""

    def __init__(self, cache: Path, identity: str, before: Path) -> None:
        """Args:
        cache: `.darkroom/cache`; it need not exist.
        identity: of the code and the settings; parts with another one are forgotten.
        before: the folder of the last survey; it need not exist.
        """
        self._tables, self._before = TableCache(cache / "survey_parts", "1"), before
        self._key = pa.table({"key": [identity]})
        tables = self._tables.load()
        known = tables["parts"].to_pylist() if tables.get("key") == self._key else []
        self._known = {each["name"]: _part(**each) for each in known}

    def find(self, name: str, mark: str) -> SurveyPart | None:
        """The part of a range, where it is made from the same and its file is what it was."""
        part = self._known.get(name)
        if part is None or part.mark != mark:
            return None
        with suppress(OSError):
            content = (self._before / "images" / f"{name}.parquet").read_bytes()
            if hashlib.sha256(content).hexdigest() == part.range.sha256:
                return part
        return None

    def link(self, name: str, folder: Path) -> None:
        """Have the file of a part in the new folder as well, without copying it where the file system has links."""
        source, target = (place / "images" / f"{name}.parquet" for place in (self._before, folder))
        try:
            os.link(source, target)
        except OSError:  # Some file systems have no links.
            shutil.copy2(source, target)

    def save(self, parts: Sequence[SurveyPart]) -> None:
        """Replace what is known. A run that is killed before these are in their place leaves others, whose hashes say so."""
        rows = [
            {
                "mark": part.mark,
                **asdict(part.range),
                "counts": json.dumps(part.counts),
                "inside": json.dumps(part.inside),
            }
            for part in parts
        ]
        self._tables.save({"key": self._key, "parts": pa.Table.from_pylist(rows, PARTS)})


def _part(mark: str, counts: str, inside: str, **of_range: Any) -> SurveyPart:
    return SurveyPart(mark, SurveyRange(**of_range), json.loads(counts), json.loads(inside))
