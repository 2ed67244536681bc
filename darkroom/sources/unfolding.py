"""Where bytes go that can only be read in order but are wanted in another: a file without a name."""

import shutil
import tempfile
from pathlib import Path
from typing import IO

from darkroom.runtime.errors import DarkroomError


def scratch_file(needed: int, source: Path) -> IO[bytes]:
    """A temporary file that has no name, and so goes with the process however that ends.

    Args:
        needed: bytes that will be written to it.
        source: what they are from, for the message.

    Raises:
        DarkroomError: when there is no room for them.
    """
    scratch = Path(tempfile.gettempdir())
    if (free := shutil.disk_usage(scratch).free) < needed:
        raise DarkroomError(
            f"{source} unfolds to {needed / (1 << 30):.1f} GiB, and {scratch} has room for {free / (1 << 30):.1f} GiB: set "
            "TMPDIR to a folder with more room, or unpack the images to class folders and set ingest.source=folder"
        )
    return tempfile.TemporaryFile()
