"""The monitor's state on disk: one file below 50 kB, written whole, and the baseline that it was begun with."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from darkroom.monitoring.detector import Detector, Sums
from darkroom.monitoring.new_rows import Marks
from darkroom.monitoring.scores import ScoreRule
from darkroom.monitoring.stream import Alarm, Stream
from darkroom.runtime.arrays import Float64s, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file
from darkroom.runtime.seeding import seed_of

STATE, BASELINE = "state.npz", "baseline.npz"
# Images that an accepted baseline needs.
LEAST = 80
COUNTERS = ("images", "tested", "next_tested", "burst", "highest")
REMEDY = "remove it, and the monitor begins anew"


@dataclass(frozen=True)
class Baseline:
    """What counts as usual: the reference of the bundle, or live images that somebody accepted.

    Attributes:
        scores: float64 [N, S].
        predicted: int64 [N].
        accepted: whether it is of live images.
    """

    scores: Float64s
    predicted: Int64s
    accepted: bool

    @property
    def key(self) -> np.uint64:
        """Of its content: counts of another baseline mean nothing."""
        scores, predicted = self.scores.astype(np.float16), self.predicted.astype(np.int32)
        return np.uint64(seed_of(scores.tobytes().hex(), predicted.tobytes().hex()))


@dataclass
class State:
    """Attributes:
    bundle: hash of the bundle whose answers are watched.
    baseline: key of what they are held against.
    stream: what is known of them.
    marks: how far the log was read.
    others: rows of other bundles.
    """

    bundle: str
    baseline: np.uint64
    stream: Stream
    marks: Marks
    others: int = 0


def load_baseline(folder: Path, bundle: str, rule: ScoreRule) -> Baseline:
    """What was accepted for a bundle, else its own reference.

    Raises:
        DarkroomError: when the file can't be read.
    """
    stored = _read(folder / BASELINE)
    if stored is not None and str(stored["bundle"]) == bundle:
        return Baseline(stored["scores"].astype(np.float64), stored["predicted"].astype(np.int64), True)
    return Baseline(rule.reference(), rule.rows.predicted, False)


def accept_baseline(folder: Path, state: State, classes: int) -> Baseline:
    """Take the images since the shift, or all recent ones, as what counts as usual, and begin anew with them.

    Args:
        folder: of the state.
        state: which is begun anew, and stored; the log is read on from where it was.
        classes: how many there are.

    Raises:
        DarkroomError: when there are too few images.
    """
    stream = state.stream
    count = stream.since_alarm()
    if count < LEAST:
        raise DarkroomError(
            f"a baseline needs {LEAST} images, and {count} came since the shift: wait for more, or make a new bundle"
        )
    found = Baseline(stream.scores[-count:], stream.predicted[-count:], True)
    with whole_file(folder / BASELINE) as path, path.open("wb") as file:
        np.savez_compressed(
            file,
            bundle=np.array(state.bundle),
            scores=found.scores.astype(np.float16),
            predicted=found.predicted.astype(np.int32),
        )
    state.baseline = found.key
    state.stream = Stream(Detector(found.scores, found.predicted, classes), stream.run_length)
    save_state(folder, state)
    return found


def load_state(folder: Path, bundle: str, baseline: Baseline, classes: int, run_length: float) -> State:
    """The state where the last run stopped; a fresh one for another bundle, which reads the log on.

    Raises:
        DarkroomError: when the file can't be read.
    """
    stream = Stream(Detector(baseline.scores, baseline.predicted, classes), run_length)
    stored = _read(folder / STATE)
    if stored is None or str(stored["bundle"]) != bundle:
        # Rows of the new bundle may lie before the marks, where a service followed it at once.
        return State(bundle, baseline.key, stream, Marks())
    try:
        if stored["baseline"] == baseline.key:
            _restore(stream, stored)
    except (KeyError, ValueError) as error:
        raise DarkroomError(f"{folder / STATE} is of another version ({error}): {REMEDY}") from None
    return State(bundle, baseline.key, stream, Marks.of(stored), int(stored["others"]))


def save_state(folder: Path, state: State) -> None:
    """Write the state whole: a killed monitor finds the one before, and reads its rows again."""
    stream, alarm = state.stream, state.stream.alarm
    arrays: dict[str, Any] = {
        "bundle": np.array(state.bundle),
        "baseline": state.baseline,
        "others": np.int64(state.others),
        **{name: np.float64(getattr(stream, name)) for name in COUNTERS},
        "scores": stream.scores.astype(np.float16),
        "times": stream.times,
        "predicted": stream.predicted.astype(np.int32),
        "confidence": stream.confidence.astype(np.float32),
        "sessions": stream.sessions,
        "history": stream.history,
        "rank_counts": stream.detector.ranks.counts.astype(np.int64),
        "class_counts": stream.detector.classes.counts.astype(np.int64),
        **{name: getattr(stream.detector.sums, name) for name in ("roberts", "growth", "since")},
        "alarm": np.array(list(asdict(alarm).values()) if alarm else [], np.int64),
        **state.marks.arrays(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / STATE) as path, path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _restore(stream: Stream, stored: dict[str, Any]) -> None:
    for name in COUNTERS:
        setattr(stream, name, type(getattr(stream, name))(stored[name]))
    stream.scores, stream.times = stored["scores"].astype(np.float64), stored["times"]
    stream.predicted, stream.confidence = stored["predicted"].astype(np.int64), stored["confidence"].astype(np.float64)
    stream.sessions, stream.history = stored["sessions"], stored["history"]
    detector = stream.detector
    for ranks, name in ((detector.ranks, "rank_counts"), (detector.classes, "class_counts")):
        if stored[name].shape != ranks.counts.shape:
            raise ValueError(f"{name} has the shape {stored[name].shape}, not {ranks.counts.shape}")
        ranks.counts = stored[name].astype(np.float64)
    detector.sums = Sums(stored["roberts"], stored["growth"], stored["since"])
    if len(stored["alarm"]):
        stream.alarm = Alarm(*stored["alarm"].tolist())


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as found:
            return dict(found)
    except (OSError, ValueError, BadZipFile) as error:
        raise DarkroomError(f"{path} can't be read ({error}): {REMEDY}") from None
