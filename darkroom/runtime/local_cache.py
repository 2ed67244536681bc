"""Files of a tracked folder where DVC's local cache has them: to import DVC costs 0.5 s, and its copies of them as much."""

import json
from pathlib import Path
from typing import Any

# As DVC 3 lays it out: https://dvc.org/doc/user-guide/project-structure/internal-files#structure-of-the-cache-directory
CACHE = Path(".dvc/cache/files/md5")


def cached_files(output: dict[str, Any], below: str) -> list[Path] | None:
    """Where the cache of the repository in the current folder has the files of a tracked folder.

    Args:
        output: what `dvc.lock` says of the folder: `md5`, which ends in `.dir`, and `hash`.
        below: a folder in it, with `/` at its end; only the files in that are named.

    Returns:
        None where the cache lies elsewhere, or lacks one of them: DVC itself knows then where they are.
    """
    listing = _place(str(output.get("md5", "")))
    if output.get("hash") != "md5" or listing.suffix != ".dir" or not listing.exists():
        return None
    try:
        entries = json.loads(listing.read_text(encoding="utf-8"))
        files = [_place(entry["md5"]) for entry in entries if entry["relpath"].startswith(below)]
    except (ValueError, LookupError, TypeError):
        return None
    return files if all(file.exists() for file in files) else None


def _place(md5: str) -> Path:
    return CACHE / md5[:2] / md5[2:]
