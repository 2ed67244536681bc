"""The folder of a prediction log: itself, or of one in an object store a copy on this machine, brought up to date."""

import os
import re
from pathlib import Path

from darkroom.monitoring.keyed import KEY
from darkroom.runtime.cache_folder import folder_of_url
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import private_opener, read_json, whole_file, write_json
from darkroom.runtime.object_store import ObjectStore, Stored, is_url
from darkroom.runtime.store_backends import AT_ONCE
from darkroom.runtime.threads import in_order

# What a log has; nothing else of the store is copied.
LOGGED = re.compile(r"key|bundles/[0-9a-f]+\.json|\d{4}-\d\d-\d\d/predictions-[\w.-]+\.(jsonl|parquet)")
# File of a copy: name of an object → the mark that it had when it was copied.
COPIED = ".copied.json"


def local_log(place: str) -> Path:
    """The folder to read; of a URL a copy in the user's cache, in which only what is new or changed is fetched.

    Args:
        place: a folder or a URL.

    Raises:
        DarkroomError: when there is no log, or the store can't be read.
    """
    if not is_url(place):
        return Path(place)
    store, folder = ObjectStore.open(place), folder_of_url("logs", place)
    found = {each.name: each for each in store.find() if LOGGED.fullmatch(each.name)}
    if KEY not in found:
        raise DarkroomError(f"there is no prediction log {place}: the service writes one with --prediction-log {place}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = read_json(folder / COPIED) if (folder / COPIED).exists() else {}
    new = [each for name, each in found.items() if known.get(name) != each.mark or not (folder / name).exists()]
    for each, content in zip(new, in_order(lambda each: _read(store, each), new, threads=AT_ONCE), strict=True):
        if content is None:
            del found[each.name]
            continue
        target = folder / each.name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with whole_file(target) as partial, open(partial, "wb", opener=private_opener) as file:
            file.write(content)
    for name in known.keys() - found:
        (folder / name).unlink(missing_ok=True)
    with whole_file(folder / COPIED) as partial:
        write_json(partial, {name: each.mark for name, each in found.items()})
    return folder


def _read(store: ObjectStore, each: Stored) -> bytes | None:
    """Its bytes; None where it was removed meanwhile, or rewritten, which the next look sees."""
    try:
        return store.read_listed(*each)
    except OSError:
        return None


def states(folder: Path) -> dict[Path, tuple[int, int]]:
    """What changes of each file of a log when it is written: its inode and time."""
    found = ((path, os.stat(path)) for path in folder.glob("*/*"))  # noqa: PTH116 (as elsewhere here: one call)
    return {path: (status.st_ino, status.st_mtime_ns) for path, status in found}


def send_changes(place: str, folder: Path, before: dict[Path, tuple[int, int]]) -> None:
    """Put the files of a copy that changed back into the store.

    Args:
        place: as `local_log` was given.
        folder: that it gave.
        before: `states` of then.

    Raises:
        DarkroomError: when the store refuses.
    """
    store = ObjectStore.open(place)
    for path, state in states(folder).items():
        if before.get(path) != state:
            store.write(path.relative_to(folder).as_posix(), path.read_bytes())
