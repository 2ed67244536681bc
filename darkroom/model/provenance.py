"""Versions of the code and of the data that a number comes from."""

import hashlib
from pathlib import Path

from darkroom.runtime.closure import Code
from darkroom.runtime.files import file_hash


def code_version(stage: str) -> str:
    """The version of the code of a stage, as the stage `code` writes it to `data/code/<stage>`.

    It is taken from the code itself, so that it also holds for a stage that was started without DVC.
    """
    return Code().version(stage)


def data_version(ingest: Path, splits: Path) -> str:
    """12 hex digits of the SHA-256 over the manifest and the split table: a change of any image, label or split changes it.

    Args:
        ingest: the folder that the ingest stage wrote. Its manifest is stored in parts, read in the order of their names; a
            manifest in one file, as it was first, counts as one part.
        splits: the table of the split stage.
    """
    digest = hashlib.sha256()
    parts = sorted(ingest.glob("manifest/*.parquet")) or [ingest / "manifest.parquet"]
    for path in (*parts, splits):
        digest.update(bytes.fromhex(file_hash(path)))
    return digest.hexdigest()[:12]
