"""Models change through the file system: what stands in the folder, or behind the link, is looked at, opened and taken."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from serving.metrics import Metrics
from serving.model import LoadedModel, open_model
from serving.priority import give_way

log = logging.getLogger("serving.reload")

# Seconds between two looks, of some 50 µs each: a model is taken after two of them, and within two seconds of a promotion.
INTERVAL = 0.25

# Of each file of a bundle: name, inode, size, and the times of its content and of its entry; and the folder itself.
State = tuple[str, tuple[tuple[str, int, int, int, int], ...]]


def bundle_state(folder: Path) -> State | None:
    """What tells one bundle from another without reading it; None where there is no folder.

    Args:
        folder: of the bundle, or a link to it.
    """
    try:
        folder = folder.resolve(strict=True)
        found = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    except (OSError, RuntimeError):  # it may be replaced at this moment; a link to itself is a RuntimeError
        return None
    files = tuple((name, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns) for name, at in found)
    return str(folder), files


@dataclass(frozen=True)
class _Opened:
    model: LoadedModel
    state: State | None


class Reloader:
    """Looks at the folder of the bundle, and opens what is new there beside the model that answers.

    A bundle is opened when two looks in a row found the same, since it may be in the middle of a copy. One that is refused is
    not tried again before it changes. The model before stays in memory, so that going back to it takes one look.

    Args:
        folder: of the bundle, or a link to it.
        batch: as in `open_model`.
        model: that answers now.
        state: of the folder before it was opened.
        swap: called with a new model, which is to answer from then on.
        metrics: count what was loaded and refused.
    """

    def __init__(
        self,
        folder: Path,
        batch: int,
        model: LoadedModel,
        state: State | None,
        swap: Callable[[LoadedModel], None],
        metrics: Metrics,
    ) -> None:
        self._folder, self._batch, self._swap, self._metrics = folder, batch, swap, metrics
        self._now = _Opened(model, state)
        self._before: _Opened | None = None
        self._last_look: State | None = None
        self._refused: State | None = None
        self._link_broken = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reload", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        give_way()
        while not self._end.wait(INTERVAL):
            try:
                self.look()
            except Exception:  # the edge of the thread: the model that answers goes on, and the next look may do better
                log.exception("looking at %s failed", self._folder)

    def look(self) -> None:
        """Look once, and swap where there is another sound bundle."""
        found = bundle_state(self._folder)
        settled, self._last_look = found == self._last_look, found
        # A folder may be missing for a while, as when `make run` writes it anew; a link that leads nowhere is a mistake.
        broken = found is None and settled and self._folder.is_symlink()
        if broken and not self._link_broken:
            self._refuse(
                f"{self._folder} is a link to {self._folder.readlink()}, which is no folder: switch it to a bundle"
            )
        self._link_broken = broken
        if found in (None, self._now.state, self._refused):
            return
        if self._before and found == self._before.state:
            self._take(self._before, "again")
        elif settled:
            self._open(found)

    def _open(self, found: State | None) -> None:
        try:
            model = open_model(self._folder, self._batch)
        except (DarkroomError, OSError) as error:
            if bundle_state(self._folder) != found:  # it was changed meanwhile, and the next look will see
                return
            self._refused = found
            self._refuse(str(error))
            return
        if bundle_state(self._folder) == found:
            self._take(_Opened(model, found), "loaded")

    def _refuse(self, reason: str) -> None:
        self._metrics.reloaded("refused")
        log.error("refused, and %s goes on: %s", _name(self._now.model), reason)

    def _take(self, opened: _Opened, how: str) -> None:
        self._before, self._now, self._refused = self._now, opened, None
        self._swap(opened.model)
        self._metrics.reloaded("loaded")
        log.warning("%s answers now (%s), in place of %s", _name(opened.model), how, _name(self._before.model))


def _name(model: LoadedModel) -> str:
    return f"{model.bundle.folder} ({model.bundle.graph}, {model.hash[:12]})"
