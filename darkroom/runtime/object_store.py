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

# Seconds until a server must take a connection, and until it must give the next bytes; how often a request is tried. A server
# that takes connections and never answers stops the line after four minutes.
CONNECT, READ, TRIES = 10, 30, 4
# Requests wait for the network and not for a core: with 32 at a time a store gives some thousand small objects a second.
AT_ONCE = 32
URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<path>.+)", re.DOTALL)
# What listings tell of an object that changes when its bytes do; the first that is there.
MARKS = ("ETag", "etag", "generation", "LastModified", "last_modified", "mtime", "created")
MD5 = re.compile(r"[0-9a-f]{32}")


class Backend(NamedTuple):
    """A kind of store: the package that reads it, its extra, where its errors come from, and how to get credentials."""

    package: str
    extra: str
    errors: tuple[str, ...]
    credentials: str
    options: dict[str, Any]


BACKENDS = {
    "s3": Backend(
        "s3fs",
        "requirements-s3.txt",
        ("botocore.exceptions.BotoCoreError", "botocore.exceptions.ClientError", "aiohttp.ClientError"),
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; FSSPEC_S3_ANON=true reads a public bucket",
        {
            "use_listings_cache": False,
            "config_kwargs": {
                "connect_timeout": CONNECT,
                "read_timeout": READ,
                "max_pool_connections": AT_ONCE,
                "retries": {"max_attempts": TRIES, "mode": "standard"},
            },
        },
    ),
    "gs": Backend(
        "gcsfs",
        "requirements-gs.txt",
        ("google.auth.exceptions.GoogleAuthError", "gcsfs.retry.HttpError", "aiohttp.ClientError"),
        "set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`",
        {"use_listings_cache": False, "requests_timeout": READ},
    ),
    "az": Backend(
        "adlfs",
        "requirements-az.txt",
        ("azure.core.exceptions.AzureError", "aiohttp.ClientError", "builtins.ValueError"),
        "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        {"use_listings_cache": False, "connection_timeout": CONNECT, "read_timeout": READ},
    ),
    # In this process alone; tests use it.
    "memory": Backend("fsspec", "requirements.txt", (), "", {}),
}
SCHEMES = ", ".join(f"{scheme}://" for scheme in BACKENDS if scheme != "memory")


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
    """Failures of a store as a DarkroomError that says what to do; only FileNotFoundError of an object stays as it is."""
    try:
        yield
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
