"""Links into DVC's cache that lead to nothing, as after a workspace with a cache of links was moved."""

from collections.abc import Iterable
from pathlib import Path

from darkroom.runtime.text import count

# Where DVC 3 stores a file, below the folder of its cache: files/md5/ab/cdef….
CACHE, DEPTH = Path(".dvc/cache"), 4


def repair_links(outputs: Iterable[Path]) -> None:
    """Lead broken links to the cache of this workspace, or remove those whose file it does not have, and say so.

    DVC stops at a broken link with "No such file or directory"; a file that is not there it makes again.

    Args:
        outputs: of the line; files and folders.
    """
    broken = [
        path for output in outputs for path in (output, *output.rglob("*")) if path.is_symlink() and not path.exists()
    ]
    if not broken:
        return
    gone = str(Path(*broken[0].readlink().parts[:-DEPTH]))
    removed = 0
    for link in broken:
        cached = CACHE.resolve().joinpath(*link.readlink().parts[-DEPTH:])
        link.unlink()
        if cached.is_file():
            link.symlink_to(cached)
        else:
            removed += 1
    rest = f"; {removed:,} are not in it, and are made again" if removed else ""
    print(f"{count(len(broken), 'link')} led to {gone}, which is gone: they now lead to the cache of this folder{rest}")
