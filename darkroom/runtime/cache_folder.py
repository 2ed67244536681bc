"""The user's cache: what is fetched once for all clones; safe to delete."""

import hashlib
from pathlib import Path

from darkroom.runtime.environment import variable


def cache_folder() -> Path:
    """Its folder, which need not exist."""
    base = variable("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "darkroom"


def folder_of_url(kind: str, url: str) -> Path:
    """The folder in it that belongs to a URL, for one kind of use."""
    return cache_folder() / kind / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]
