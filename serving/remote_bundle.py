"""Bundles in an object store: a small object names the one that serves, and a copy of it here is what the service follows.

`s3://bucket/bundles/current` holds `v1.4.0`, and the files are `s3://bucket/bundles/v1.4.0/…`; `darkroom.registry.remote`
writes both. The copy is behind a link, as a champion on this machine is.
"""

import hashlib
import logging
import re
import secrets
import shutil
import threading
from pathlib import Path

from darkroom.bundle.bundle import INDEX, listed_files
from darkroom.runtime.cache_folder import folder_of_url
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import ObjectStore
from darkroom.runtime.store_backends import AT_ONCE
from darkroom.runtime.threads import in_order
from serving.priority import give_way

LOG = logging.getLogger("serving.reload")

# Seconds between two looks at the pointer: a request each, some 17,000 a day.
INTERVAL = 5.0
# What a pointer holds, and what a file of a bundle is named.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class RemoteBundle:
    """Follows a pointer.

    Args:
        url: of the pointer.

    Attributes:
        link: the folder to serve.

    Raises:
        DarkroomError: when there is no pointer or no bundle, a byte is another one, or the store can't be read.
    """

    def __init__(self, url: str) -> None:
        place, _, self._pointer = url.rstrip("/").rpartition("/")
        self._url, self._store, self._folder = url, ObjectStore.open(place), folder_of_url("bundles", url)
        self.link = self._folder / "current"
        self._now, self._refused = "", ""
        self.look()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="remote bundle", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()

    def look(self) -> None:
        """Look once; where the pointer names another bundle, copy it and switch the link.

        Raises:
            DarkroomError: as for the whole.
        """
        name = self._named()
        if name == self._now:
            return
        index = self._read(f"{name}/{INDEX}")
        # By its content: a version that was published anew under its name is another folder.
        copy = self._folder / _hash(index)[:16]
        if not copy.exists():
            self._copy(name, index, copy)
        before = self.link.resolve() if self.link.is_symlink() else copy
        beside = self._folder / f".current-{secrets.token_hex(8)}"
        beside.symlink_to(copy.name)
        beside.replace(self.link)
        self._now = name
        for other in self._folder.iterdir():
            if other.is_dir() and not other.is_symlink() and other not in (copy, before):
                shutil.rmtree(other, ignore_errors=True)

    def _named(self) -> str:
        name = self._read(self._pointer).decode("utf-8", "replace").strip()
        if not NAME.fullmatch(name):
            raise DarkroomError(
                f"{self._url} should hold the name of a bundle beside it, as v1.4.0, and holds {name[:40]!r}: publish one with "
                "`python -m darkroom.registry.remote`"
            )
        return name

    def _read(self, name: str) -> bytes:
        try:
            return self._store.read(name)
        except FileNotFoundError:
            raise DarkroomError(
                f"there is no {self._store.url}/{name}: publish a bundle with `python -m darkroom.registry.remote "
                f"{self._store.url}`"
            ) from None

    def _copy(self, name: str, index: bytes, copy: Path) -> None:
        """Fetch all files; the copy is there whole or not at all."""
        partial = self._folder / f".{copy.name}-{secrets.token_hex(8)}"
        partial.mkdir(mode=0o700, parents=True)
        try:
            (partial / INDEX).write_bytes(index)
            files = listed_files(partial)
            contents = in_order(lambda file: self._read(f"{name}/{file}"), files, threads=AT_ONCE)
            for (file, sha256), content in zip(files.items(), contents, strict=True):
                if not NAME.fullmatch(file) or _hash(content) != sha256:
                    raise DarkroomError(
                        f"{self._store.url}/{name}/{file} is not the file that {INDEX} names: publish the bundle again"
                    )
                (partial / file).write_bytes(content)
            partial.rename(copy)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _work(self) -> None:
        give_way()
        while not self._end.wait(INTERVAL):
            try:
                self.look()
                self._refused = ""
            except (DarkroomError, OSError) as error:
                # Once for each reason; the model that answers goes on.
                if str(error) != self._refused:
                    LOG.error("%s is not followed, and the model before goes on: %s", self._url, error)
                self._refused = str(error)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
