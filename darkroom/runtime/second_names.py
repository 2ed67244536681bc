"""Second names (hard links) for the files of an output: while DVC removes it, and in DVC's cache in place of copies.

Outputs that persist can't share files: DVC copies each file that has two names before it starts the stage. So such an output
does not persist, and DVC removes it; the stage `survey`, which always runs before, gives its files second names first.
"""

import configparser
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import yaml

from darkroom.runtime.files import link_or_copy, whole_folder
from darkroom.runtime.links import CACHE

NAMES = Path(".darkroom/names")
DVC_LOCK = Path("dvc.lock")
CONFIGS = (Path(".dvc/config"), Path(".dvc/config.local"))
# As DVC has it in its cache: it does not look again at what is in these files.
PROTECTED = 0o444


def name_again(output: Path) -> None:
    """Give the files of an output second names, so that it can be brought back; where it is not there, earlier ones stay."""
    names = NAMES / output.name
    if output.is_dir() and _marks(output) != _marks(names):
        with whole_folder(names) as folder:
            shutil.copytree(output, folder, copy_function=link_or_copy, dirs_exist_ok=True)


def bring_back(output: Path) -> None:
    """Put an output that DVC has removed back in its place; its files then have one name, or that in DVC's cache, too."""
    names = NAMES / output.name
    if names.is_dir() and not output.exists():
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            names.rename(output)
        except OSError:  # `.darkroom` or `data` is on another disk, and the names are copies.
            with whole_folder(output) as folder:
                shutil.copytree(names, folder, dirs_exist_ok=True)
    shutil.rmtree(names, ignore_errors=True)


def share_with_dvc(output: Path, part: str) -> None:
    """Have DVC's cache name files of an output in place of its copies of them, where it can name files of this disk.

    Args:
        output: as `dvc.lock` has it; DVC has just copied what is new in it.
        part: the folder in it; its files are written once, and nobody edits them.
    """
    cache = _cache()
    if cache is None:
        return
    for file, md5 in _cached(output, part, cache):
        cached = _object(cache, md5)
        try:
            ours, theirs = file.stat(), cached.stat()
        except OSError:
            continue
        # A file that is younger than the copy of it may not be what was copied.
        same = (
            ours.st_dev == theirs.st_dev and ours.st_size == theirs.st_size and ours.st_mtime_ns <= theirs.st_mtime_ns
        )
        if not same or ours.st_ino == theirs.st_ino or stat.S_IMODE(theirs.st_mode) != PROTECTED:
            continue
        # `dvc.lock` may be of another version than the files, as after `git pull`, with a shard of the same length.
        if _md5(file) != md5:
            continue
        partial = cached.with_name(f"{cached.name}.partial")
        try:
            partial.unlink(missing_ok=True)
            os.link(file, partial)
            partial.chmod(PROTECTED)
            partial.replace(cached)
        except OSError:  # No links on this file system, or files of another user: the copies stay.
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            return


def _marks(folder: Path) -> set[tuple[str, int, int]]:
    """Path, bytes and time of each file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {(str(file.relative_to(folder)), (status := file.stat()).st_size, status.st_mtime_ns) for file in files}


def _cache() -> Path | None:
    """The folder of DVC's cache; None where DVC would undo second names in it, since `cache.type` has no hard links."""
    folder, types = CACHE, ""
    for file in [file for file in CONFIGS if file.exists()]:
        config = configparser.ConfigParser(interpolation=None, strict=False)
        # DVC indents what configparser takes for the rest of the line before.
        config.read_string("\n".join(line.strip() for line in file.read_text(encoding="utf-8").splitlines()))
        if config.has_option("cache", "dir"):
            folder = file.parent / config["cache"]["dir"]
        types = config.get("cache", "type", fallback=types)
    return folder if "hardlink" in types else None


def _cached(output: Path, part: str, cache: Path) -> Iterator[tuple[Path, str]]:
    """The files of a part of an output, each with the MD5 by which DVC's cache names it."""
    if not DVC_LOCK.exists():
        return
    # The loader in C, where there is one: 5 ms in place of 100.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    stages = yaml.load(DVC_LOCK.read_text(encoding="utf-8"), loader)["stages"]
    outs = [out for stage in stages.values() for out in stage.get("outs", []) if out["path"] == output.as_posix()]
    for out in outs:
        listing = _object(cache, out["md5"])
        for each in json.loads(listing.read_text(encoding="utf-8")) if listing.exists() else []:
            if Path(each["relpath"]).is_relative_to(part):
                yield output / each["relpath"], each["md5"]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _object(cache: Path, md5: str) -> Path:
    return cache / "files/md5" / md5[:2] / md5[2:]
