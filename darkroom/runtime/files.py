"""How the line writes: folders whole or absent, JSON always in one form."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkroom.runtime.errors import DarkroomError


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a fresh folder beside `target` to write in, and rename it to `target` when the block ends well.

    A killed run leaves nothing half-made where the next run would look: only the folder `.<name>.partial`, which the next
    one removes first. When the block raises, `target` is as it was before.

    Raises:
        DarkroomError: when no folder can be made there; the block does not begin then.
    """
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise DarkroomError(
            f"the folder {target} can't be made: {error.strerror}; mend {target.parent}, or name another folder"
        ) from None
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if target.exists():
        shutil.rmtree(target)
    partial.rename(target)


def write_json(path: Path, content: object) -> None:
    """Write JSON in UTF-8, two spaces deep, keys in the order given, with a last newline.

    Raises:
        ValueError: for a NaN or an infinity, which JSON does not have.
    """
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
