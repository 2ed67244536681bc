"""Images that are kept for people to label: so many a day, drawn with equal chances, and gone after some days."""

import json
import random
import shutil
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

from darkroom.images.pillow_decoder import open_head
from darkroom.labels.inbox import SUFFIXES
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import private_opener, whole_file, write_json
from serving.logs import LOG
from serving.priority import give_way

# How many images of a day were answered; what is there of them is a sample of so many.
DAY = "day.json"
# Seconds between two looks at the clock, and at what was answered meanwhile; a kill loses so much of that count.
TICK = 60.0
# Images that wait to be written; no answer waits for them.
MOST_WAITING = 16


class Samples:
    """Keeps a uniform sample of each day's images: `<day>/<sha256>.<suffix>`, with `<day>/day.json` {"answered": N}.

    Vitter's algorithm R (1985): of N images each is there with the probability K/N, however many come. One service a folder.

    Args:
        folder: made where it is missing; what is there of today is gone on with.
        per_day: images of a day, at most.
        days: after which a day's images are removed.

    Raises:
        DarkroomError: when the folder can't be written to.
    """

    def __init__(self, folder: Path, per_day: int, days: int) -> None:
        self._folder, self._per_day, self._days = folder, per_day, days
        self._day, self._answered = "", 0
        self._waiting = deque[tuple[str, str, bytes]](maxlen=MOST_WAITING)
        self._change = threading.Condition()
        self._closed = False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._begin(_today())
            self._tidy()
        except OSError as error:
            raise DarkroomError(
                f"the samples {folder} can't be written: {error.strerror}; give another folder"
            ) from None
        self._thread = threading.Thread(target=self._work, name="samples", daemon=True)
        self._thread.start()

    def consider(self, data: bytes, sha256: str) -> None:
        """Count an image that was answered, and keep it if it is drawn; returns at once.

        Args:
            data: the bytes of its file.
            sha256: of them, in hex.
        """
        with self._change:
            if (day := _today()) != self._day:
                self._begin(day)
            self._answered += 1
            if random.random() * self._answered < self._per_day:
                self._waiting.append((day, sha256, data))
                self._change.notify()

    def close(self) -> None:
        """Write what waits, and end."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()

    def _work(self) -> None:
        give_way()
        while True:
            with self._change:
                if not self._waiting and not self._closed:
                    self._change.wait(TICK)
                waiting, closed = list(self._waiting), self._closed
                self._waiting.clear()
            try:
                for day, sha256, data in waiting:
                    self._keep(day, sha256, data)
                self._count()
                self._tidy()
            except OSError as error:
                LOG.warning("the samples %s can't be written: %s", self._folder, error.strerror)
            if closed:
                return

    def _keep(self, day: str, sha256: str, data: bytes) -> None:
        """Store an image, in the place of any other where there are as many as there may be."""
        folder = self._folder / day
        folder.mkdir(mode=0o700, exist_ok=True)
        there = [path for path in folder.iterdir() if path.suffix != ".json" and not path.name.startswith(".")]
        if any(path.stem == sha256 for path in there):
            return
        if len(there) >= self._per_day:
            random.choice(there).unlink()
        head = open_head(data)
        path = folder / f"{sha256}.{SUFFIXES.get(head.format or '', 'img') if head else 'img'}"
        with whole_file(path) as partial, open(partial, "wb", opener=private_opener) as file:
            file.write(data)

    def _begin(self, day: str) -> None:
        path = self._folder / day / DAY
        self._day, self._answered = day, json.loads(path.read_text())["answered"] if path.exists() else 0

    def _count(self) -> None:
        with self._change:
            day, answered = self._day, self._answered
        if (self._folder / day).is_dir():
            with whole_file(self._folder / day / DAY) as partial:
                write_json(partial, {"answered": answered})

    def _tidy(self) -> None:
        """Remove the days that are over their age."""
        oldest = (datetime.now(UTC) - timedelta(days=self._days)).strftime("%Y-%m-%d")
        for folder in self._folder.glob("????-??-??"):
            if folder.name < oldest:
                shutil.rmtree(folder)


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")
