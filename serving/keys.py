"""API keys: a file has the SHA-256 of each, its scopes and its rate; the keys themselves are nowhere.

    python -m serving.keys new NAME --scopes predict correct metrics --per-minute 600 --file keys.json

prints a new key, once, and adds its hash to the file. A running service reads the file again when it changes: a line removed
there ends a key.
"""

import argparse
import hashlib
import hmac
import logging
import re
import secrets
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from darkroom.runtime.checked_json import STRICT, read_checked
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file, write_json
from darkroom.runtime.stage import user_errors
from serving.problems import Problem

Scope = Literal["predict", "correct", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# Seconds between two looks at the file.
INTERVAL = 1.0
NAME = "^[A-Za-z0-9._@-]{1,64}$"
REMEDY = "make keys with `python -m serving.keys new NAME`"
log = logging.getLogger("serving")


@dataclass(frozen=True)
class Key:
    """One line of the file.

    Attributes:
        name: of whoever has the key.
        sha256: of the key, in hex. A key is 256 random bits, which no list of passwords has: it needs no slower hash.
        scopes: what it is good for.
        per_minute: requests, on average and at once; None for any number.
    """

    __pydantic_config__ = STRICT

    name: Annotated[str, Field(pattern=NAME)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    scopes: list[Scope]
    per_minute: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True)
class _File:
    __pydantic_config__ = STRICT

    keys: list[Key]


class Keys:
    """The keys of a file, as it is now.

    Args:
        path: of the file.

    Raises:
        DarkroomError: when it can't be read, or is damaged. Once the service runs, it goes on with the keys that it had, and
            logs that.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = read_keys(path)
        self._version, self._looked = _version(path), time.monotonic()
        self._buckets: dict[str, _Bucket] = {}

    def require(self, given: str | None, scope: Scope) -> Key:
        """The key of a request.

        Args:
            given: what the client sent; None where it sent none.
            scope: what it asks for.

        Raises:
            Problem: 401 for no or an unknown key, 403 for one without the scope, 429 for one past its rate.
        """
        self._look()
        challenge = {"WWW-Authenticate": "Bearer"}
        if not given:
            raise Problem(
                401,
                "an API key is needed: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
                headers=challenge,
            )
        found = None
        hash_now = hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
        # All of them, whichever it is: the time that it takes tells nothing of the hashes.
        for key in self._keys:
            if hmac.compare_digest(key.sha256, hash_now):
                found = key
        if found is None:
            raise Problem(401, "the API key is unknown: ask whoever runs the service for one", headers=challenge)
        if scope not in found.scopes:
            raise Problem(
                403, f"the API key {found.name} is for {', '.join(found.scopes) or 'nothing'}, and this needs {scope}"
            )
        if found.per_minute:
            self._buckets.setdefault(found.sha256, _Bucket(found.per_minute)).take(found)
        return found

    def _look(self) -> None:
        """Read the file again when it is another one."""
        now = time.monotonic()
        if now - self._looked < INTERVAL:
            return
        self._looked = now
        if (version := _version(self._path)) == self._version:
            return
        self._version = version
        try:
            self._keys = read_keys(self._path)
        except DarkroomError as error:
            log.error("the keys stay as they were: %s", error)
        else:
            log.info("%d API keys read from %s", len(self._keys), self._path)


class _Bucket:
    """Requests that a key has left; they come back steadily (token bucket)."""

    def __init__(self, per_minute: int) -> None:
        self.left, self.since = float(per_minute), time.monotonic()

    def take(self, key: Key) -> None:
        assert key.per_minute
        now = time.monotonic()
        self.left = min(key.per_minute, self.left + (now - self.since) * key.per_minute / 60)
        self.since = now
        if self.left < 1:
            raise Problem(
                429,
                f"the API key {key.name} may ask {key.per_minute:,} times a minute",
                retry_after=(1 - self.left) * 60 / key.per_minute,
            )
        self.left -= 1


def read_keys(path: Path) -> list[Key]:
    """The keys of a file.

    Raises:
        DarkroomError: when there is none, or it can't be read, or is damaged, or has a name or a key twice.
    """
    try:
        keys = read_checked(path, _File, REMEDY).keys
    except FileNotFoundError:
        raise DarkroomError(f"there is no file of API keys {path}: {REMEDY}") from None
    for what in ("name", "sha256"):
        values = [getattr(key, what) for key in keys]
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise DarkroomError(f"{path} has the {what} {twice[0]} twice: remove one of them")
    return keys


def new_key(path: Path, name: str, scopes: list[Scope], per_minute: int | None) -> str:
    """Make a key, and add its hash to a file, which only its owner can read.

    Raises:
        DarkroomError: when the file is damaged or can't be written, or has a key of that name.
    """
    keys = read_keys(path) if path.exists() else []
    if name in [key.name for key in keys]:
        raise DarkroomError(f"{path} has a key {name} already: choose another name, or remove its entry there")
    made = f"dr_{secrets.token_urlsafe(32)}"
    keys.append(Key(name, hashlib.sha256(made.encode()).hexdigest(), scopes, per_minute))
    try:
        with whole_file(path) as partial:
            partial.touch(0o600)
            write_json(partial, {"keys": [asdict(key) for key in keys]})
    except OSError as error:
        raise DarkroomError(f"{path} can't be written: {error.strerror}; choose another --file") from None
    return made


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name: up to 64 letters, digits, dots, dashes, underscores and @"
        )
    return text


def _rate(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of requests: 1 or more")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serving.keys", description="Make API keys for the service.")
    new = parser.add_subparsers(required=True, metavar="new").add_parser("new", help="make a key, and print it once")
    new.add_argument("name", type=_name, help="of whoever gets the key")
    new.add_argument(
        "--file", type=Path, default=Path("keys.json"), help="that the service has as --api-keys; default keys.json"
    )
    new.add_argument("--scopes", nargs="+", choices=SCOPES, default=["predict"], help="default predict")
    new.add_argument(
        "--per-minute", type=_rate, metavar="N", help="requests that the key is good for; default any number"
    )
    options = parser.parse_args()
    with user_errors():
        made = new_key(options.file, options.name, options.scopes, options.per_minute)
    print(made)
    print(f"added {options.name} to {options.file}; the key itself is stored nowhere", file=sys.stderr)


if __name__ == "__main__":
    main()
