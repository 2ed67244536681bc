"""A prediction log in an object store: parts are written on this machine, and sent whole when they end."""

import logging
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path

from darkroom.monitoring.keyed import KEY, LogKey
from darkroom.monitoring.log_writer import Counted, PredictionLog
from darkroom.monitoring.rows import BUNDLES, PARTS
from darkroom.monitoring.writers import running_writers, writer_of_part
from darkroom.runtime.cache_folder import folder_of_url
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import private_opener, whole_file
from darkroom.runtime.object_store import ObjectStore

LOG = logging.getLogger("darkroom.monitoring")

# An object can't grow: a part ends after so many seconds, and whoever reads the log sees its rows then.
PART_SECONDS = 300.0
# Seconds between two attempts where the store refuses.
PAUSE = 30.0


class ShippedLog:
    """Sends the parts of a log, in a thread of its own; what the store refuses waits on this machine.

    Args:
        url: of the log's folder.
        most_bytes, count: as `PredictionLog` has them; the bytes are those that wait here.

    Attributes:
        log: where rows are written.

    Raises:
        DarkroomError: when the store can't be read or written to.
    """

    def __init__(self, url: str, most_bytes: int, count: Counted) -> None:
        self._store, self._folder = ObjectStore.open(url), folder_of_url("spool", url)
        self._share_key()
        self._ended = deque[Path]()
        self._sent = set[str]()
        self._change = threading.Condition()
        self._closed = self._failing = False
        self.log = PredictionLog(self._folder, most_bytes, count, PART_SECONDS, self._end)
        # Parts of services that were killed; one of this name, as the first process of a container that starts again, is such.
        others = running_writers(self._folder, self.log.writer)
        self._ended += [path for path in sorted(self._folder.glob(PARTS)) if writer_of_part(path) not in others]
        self._thread = threading.Thread(target=self._work, name="shipped log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what has ended, and end; what the store does not take now is sent by the next service here."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()

    def _share_key(self) -> None:
        """All services of a log hash by one key: the one in the store, or else that of whoever comes first."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        LogKey(self._folder)
        own = self._folder / KEY
        try:
            self._store.write_new(KEY, own.read_bytes())
        except FileExistsError:
            with whole_file(own) as partial, open(partial, "wb", opener=private_opener) as file:
                file.write(self._store.read(KEY))

    def _end(self, path: Path) -> None:
        with self._change:
            self._ended.append(path)
            self._change.notify()

    def _work(self) -> None:
        while True:
            with self._change:
                if not self._closed and (self._failing or not self._ended):
                    self._change.wait(PAUSE)
                closed = self._closed
            try:
                self._send_all()
            except (DarkroomError, OSError) as error:
                if not self._failing:
                    LOG.warning("the prediction log waits in %s: %s", self._folder, error)
                self._failing = True
            else:
                self._failing = False
            if closed:
                return

    def _send_all(self) -> None:
        for path in sorted((self._folder / BUNDLES).glob("*.json")):
            if path.name not in self._sent:
                self._send(path)
                self._sent.add(path.name)
        while self._ended:
            path = self._ended[0]
            with suppress(FileNotFoundError):  # it was the oldest, and had to make room
                self._send(path)
                path.unlink()
            self._ended.popleft()

    def _send(self, path: Path) -> None:
        self._store.write(path.relative_to(self._folder).as_posix(), path.read_bytes())
