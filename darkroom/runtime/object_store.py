"""Folders in object stores, by fsspec: S3, Google Cloud Storage, Azure. Each failure is named, with what to do.

Credentials, profile, region and endpoint come from the environment or from the store's own files, as its other programs take
them: `AWS_PROFILE`, `AWS_ENDPOINT_URL` and so on; nothing of it is a setting here.
"""

import hashlib
import importlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.store_backends import BACKENDS, SCHEMES, TRIES, Backend

URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<path>.+)", re.DOTALL)
# What listings tell of an object that changes when its bytes do; the first that is there.
MARKS = ("ETag", "etag", "generation", "LastModified", "last_modified", "mtime", "created")
MD5 = re.compile(r"[0-9a-f]{32}")


class Stored(NamedTuple):
    """An object: its name below the folder, its bytes, and a mark that changes when they do: ETag, generation or time."""

    name: str
    bytes: int
    mark: str


class Changed(OSError):
    """An object is not what the listing had."""


def is_url(text: str) -> bool:
    """Whether a text is a URL, of a store that is known here or not."""
    return URL.match(text) is not None


@dataclass(frozen=True)
class ObjectStore:
    """A folder of a store.

    Attributes:
        url: as it was given, without `/` at its end.
        root: its bucket and prefix, as fsspec names them.
        files: fsspec's file system.
    """

    url: str
    root: str
    files: Any
    backend: Backend

    @classmethod
    def open(cls, url: str) -> "ObjectStore":
        """Get ready for a folder; nothing is asked of the store yet.

        Raises:
            DarkroomError: for a store that is not known, one whose package is missing, or settings of it that are wrong.
        """
        found = URL.match(url)
        scheme = found["scheme"].lower() if found else ""
        if found is None or scheme not in BACKENDS:
            raise DarkroomError(f"{url} is in no store that is read here: give {SCHEMES} with a bucket, or a folder")
        backend = BACKENDS[scheme]
        try:
            importlib.import_module(backend.package)
            import fsspec
        except ImportError as error:
            raise DarkroomError(
                f"{url} needs the package {error.name}: python -m pip install --no-deps --require-hashes -r {backend.extra}"
            ) from None
        with _named_failures(url, backend):
            files = fsspec.filesystem(scheme, **backend.options)
            if scheme == "s3":
                # Its five tries would multiply with those of botocore; one more is for answers that break off.
                files.retries = 2
            root = files._strip_protocol(f"{scheme}://{found['path']}").rstrip("/")
            return cls(url.rstrip("/"), root, files, backend)

    def place(self, name: str) -> str:
        """An object's place as fsspec names it."""
        return f"{self.root}/{name}" if name else self.root

    def is_object(self) -> bool:
        """Whether the URL is that of one object, and not of a folder."""
        with _named_failures(self.url, self.backend):
            return bool(self.files.isfile(self.root))

    def folders_and_objects(self, folder: str = "") -> tuple[list[str], list[Stored]]:
        """What is directly in a folder: names of folders, and objects, each sorted and below `root`."""
        with _named_failures(self.url, self.backend):
            entries = self.files.ls(self.place(folder), detail=True)
            folders = [entry["name"] for entry in entries if entry["type"] == "directory"]
            return sorted(self._name(place.rstrip("/")) for place in folders), self._stored(entries)

    def find(self, folder: str = "") -> list[Stored]:
        """Every object below a folder, sorted by name; none where there is no such folder."""
        with _named_failures(self.url, self.backend):
            return self._stored(self.files.find(self.place(folder), detail=True).values())

    def _stored(self, entries: Iterable[dict[str, Any]]) -> list[Stored]:
        # An object whose name ends with a slash is what consoles leave for an empty folder.
        return sorted(
            Stored(self._name(entry["name"]), int(entry["size"] or 0), _mark(entry))
            for entry in entries
            if entry["type"] == "file" and not entry["name"].endswith("/")
        )

    def _name(self, place: str) -> str:
        return place[len(self.root) + 1 :]

    def read(self, name: str) -> bytes:
        """The bytes of an object.

        Raises:
            FileNotFoundError: when it is not there.
            DarkroomError: when the store can't be reached, or refuses.
        """
        with _named_failures(f"{self.url}/{name}", self.backend):
            return bytes(self.files.cat_file(self.place(name)))

    def read_listed(self, name: str, size: int, mark: str) -> bytes:
        """The bytes of an object, which must be those that a listing told of.

        An ETag that is an MD5 is held against the bytes; another mark costs one more request.

        Raises:
            FileNotFoundError: when it is not there.
            Changed: when it is another one.
            DarkroomError: as `read`.
        """
        content = self.read(name)
        same = len(content) == size
        if same and not (MD5.fullmatch(mark) and hashlib.md5(content, usedforsecurity=False).hexdigest() == mark):
            with _named_failures(f"{self.url}/{name}", self.backend):
                same = _mark(self.files.info(self.place(name))) == mark
        if not same:
            raise Changed("another object was put in its place after it was listed")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Put a whole object; stores show it whole or not at all."""
        with _named_failures(f"{self.url}/{name}", self.backend):
            self.files.pipe_file(self.place(name), content)

    def write_new(self, name: str, content: bytes) -> None:
        """Put a whole object where none is; of several that do so at once, one does.

        Raises:
            FileExistsError: where there is one.
        """
        with _named_failures(f"{self.url}/{name}", self.backend):
            self.files.pipe_file(self.place(name), content, mode="create")

    def remove(self, name: str) -> None:
        """Remove an object; one that is not there is no failure."""
        with _named_failures(f"{self.url}/{name}", self.backend):
            try:
                self.files.rm_file(self.place(name))
            except FileNotFoundError:
                return


def _mark(entry: dict[str, Any]) -> str:
    value = next((entry[key] for key in MARKS if entry.get(key) is not None), "")
    # One call tells seconds where another tells a date.
    return str(value.timestamp() if isinstance(value, datetime) else value).strip('"')


def _failures(backend: Backend) -> tuple[type[Exception], ...]:
    """The errors of a store's packages, which are loaded when a request has failed and not before."""
    places = [name.rpartition(".") for name in backend.errors]
    return OSError, *(getattr(importlib.import_module(module), error) for module, _, error in places)


@contextmanager
def _named_failures(url: str, backend: Backend) -> Iterator[None]:
    """Failures of a store as a DarkroomError that says what to do; that an object is there or not stays as it is."""
    try:
        yield
    except FileExistsError:
        raise
    except FileNotFoundError as error:
        if "bucket does not exist" in str(error):
            raise DarkroomError(
                f"{url}: there is no such bucket; check its name, and the account or endpoint"
            ) from None
        raise
    except DarkroomError:
        raise
    except _failures(backend) as error:
        raise DarkroomError(f"{url}: {_remedy(error, backend)}") from None


def _remedy(error: BaseException, backend: Backend) -> str:
    kind, text = type(error).__name__, " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, PermissionError) or "Forbidden" in text or "AuthenticationFailed" in text:
        return f"the store refuses ({text}): allow these credentials to list and read, or {backend.credentials}"
    if re.search("Credential|Profile|Token|Auth|Must provide", kind + text):
        return f"no credentials that the store takes ({text}): {backend.credentials}"
    endpoint = variable("AWS_ENDPOINT_URL_S3") or variable("AWS_ENDPOINT_URL")
    set_now = f" (AWS_ENDPOINT_URL is {endpoint})" if backend.package == "s3fs" and endpoint else ""
    return (
        f"the store can't be read: {kind}, {text}. It was tried {TRIES} times: check network, region and endpoint{set_now}, "
        "and run it again"
    )
