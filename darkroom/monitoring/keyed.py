"""Names that nobody can look up: what tells one request, image or client from another is logged as a keyed hash."""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import private_opener

# File of the log's folder, and its bytes.
KEY, KEY_BYTES = "key", 32
# Hex digits of a hash: among 2^32 images two are alike with a probability of 10^-20.
DIGITS = 32


class LogKey:
    """The key of a log. Whoever has rows without it can't tell whether an image that they have is among them.

    Args:
        folder: of the log, which exists; the key is made where there is none.

    Raises:
        DarkroomError: when the key is damaged.
        OSError: when it can't be read or made.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / KEY
        if not path.exists():
            _make(path)
        self._key = path.read_bytes()
        if len(self._key) != KEY_BYTES:
            raise DarkroomError(
                f"{path} has {len(self._key)} bytes, and a key {KEY_BYTES}: take it from a copy of the log, or remove the log"
            )

    def hash(self, text: str) -> str:
        """HMAC-SHA256 of a text, its first 32 hex digits."""
        return hmac.digest(self._key, text.encode(), "sha256").hex()[:DIGITS]


def _make(path: Path) -> None:
    """Whole or not at all; where another service makes one at the same time, the first counts."""
    partial = path.with_name(f".{KEY}-{secrets.token_hex(8)}")
    with open(partial, "xb", opener=private_opener) as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(partial, path)
    partial.unlink()
