"""Images in a folder of the user's, which is only ever read."""

import os
from pathlib import Path

from darkroom.errors import DarkroomError
from darkroom.sources.layout import lay_out
from darkroom.sources.source import Ignored, Listing


def list_folder(root: Path) -> Listing:
    """List a folder of class folders, or one of train/, val/ and test/ that hold class folders.

    Links to folders are not followed, and are named among the ignored.

    Raises:
        DarkroomError: when `root` is missing, not a folder, can't be listed, or holds fewer than two classes.
    """
    if not root.exists():
        raise DarkroomError(f"there is no folder {root}: ingest.path must name the folder that holds the images")
    if not root.is_dir():
        raise DarkroomError(
            f"{root} is a file, not a folder: for a zip set ingest.source=zip, or use make run IMAGES=…"
        )
    paths: list[str] = []
    links: list[Ignored] = []

    def refuse(error: OSError) -> None:
        raise DarkroomError(f"the folder {error.filename} can't be listed: {error.strerror}; mend its permissions")

    for folder, folders, files in os.walk(root, onerror=refuse):
        here = Path(folder).relative_to(root)
        paths += [(here / name).as_posix() for name in files]
        links += [
            Ignored((here / name).as_posix(), "a link to a folder, not followed")
            for name in folders
            if (Path(folder) / name).is_symlink()
        ]
    listing = lay_out(paths, lambda path: (root / path).read_bytes(), str(root))
    return Listing(listing.classes, listing.images, sorted([*listing.ignored, *links], key=lambda item: item.path))
