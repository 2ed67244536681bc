"""One look of the monitor: read what is new in the log, test it, store the state, write the page."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.bundle.bundle import CLASSES, INDEX
from darkroom.bundle.reference_rows import (
    DIRECTIONS,
    PROPERTIES,
    ReferenceRows,
    in_steps,
    project,
    read_reference_rows,
)
from darkroom.model.classes import load_classes
from darkroom.monitor.measured import measured_accuracy
from darkroom.monitor.page import monitor_page
from darkroom.monitor.status import Status, make_status, since_of
from darkroom.monitoring.new_rows import new_rows, row_times
from darkroom.monitoring.scores import Rows, ScoreRule
from darkroom.monitoring.state import State, accept_baseline, load_baseline, load_state, save_state
from darkroom.runtime.arrays import UInt64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash, read_json, whole_file, whole_folder, write_json
from darkroom.runtime.lock import alone
from darkroom.runtime.paths import BUNDLE, INBOX
from darkroom.runtime.seeding import seed_of

FOLDER, REPORTS = Path(".darkroom/monitor"), Path("reports/monitor")
SENT = "sent.json"
# What the service follows, where a model was promoted.
SERVED = Path("models/serving/current")


@dataclass(frozen=True)
class Watched:
    """A bundle whose answers are watched.

    Attributes:
        hash: as rows of the log have it.
        names: of its classes.
        reference, rule: what it brings to compare with, and the scores.
    """

    hash: str
    names: tuple[str, ...]
    reference: ReferenceRows
    rule: ScoreRule


def default_bundle() -> Path:
    """The champion, where there is one; else what the line wrote last."""
    return SERVED if SERVED.exists() else BUNDLE


def watch(
    log: Path,
    bundle: Path,
    run_length: float,
    accept: bool = False,
    folder: Path = FOLDER,
    reports: Path = REPORTS,
) -> Status:
    """Go on where the last look stopped.

    Args:
        log: the prediction log.
        bundle: whose answers are watched.
        run_length: images between false alarms, on average, at least.
        accept: take what comes since the shift as usual from now on.
        folder: of the state.
        reports: for `index.html` and `status.json`.

    Raises:
        DarkroomError: when the log, the bundle or the state can't be read; when another monitor is at work.
    """
    watched = _watched(bundle)
    with alone(folder / "lock", "another monitor is at work in this folder", "make monitor"):
        baseline = load_baseline(folder, watched.hash, watched.rule)
        state = load_state(folder, watched.hash, baseline, len(watched.names), run_length)
        for table in new_rows(log, state.marks):
            _add(state, watched, table)
        save_state(folder, state)
        if accept:
            baseline = accept_baseline(folder, state, len(watched.names))
        measured = measured_accuracy(INBOX, watched.hash, since_of(state))
        status = make_status(state, baseline, watched.reference, watched.names, measured)
        with whole_folder(reports) as report:
            write_json(report / "status.json", status.to_dict())
            (report / "index.html").write_text(monitor_page(status, state.stream), encoding="utf-8")
    return status


def mark_sent(found: str, cooldown: float, now: float, folder: Path = FOLDER) -> bool:
    """Whether an alarm is to be sent now; then it counts as sent, so that a run that is killed doesn't send it twice.

    Args:
        found: when it was found; another alarm is sent at once.
        cooldown: hours before one that goes on is sent again.
        now: seconds since 1970.
        folder: of the state.
    """
    path = folder / SENT
    sent = read_json(path) if path.is_file() else {}
    if sent.get("found") == found and now - sent["time"] < cooldown * 3600:
        return False
    with whole_file(path) as partial:
        write_json(partial, {"found": found, "time": now})
    return True


def _watched(bundle: Path) -> Watched:
    if not (bundle / INDEX).is_file():
        raise DarkroomError(f"there is no bundle {bundle}: `make run` makes models/export")
    reference = read_reference_rows(bundle)
    names = load_classes(bundle / CLASSES).names
    return Watched(file_hash(bundle / INDEX), tuple(names), reference, ScoreRule(reference))


def _add(state: State, watched: Watched, table: pa.Table) -> None:
    """Take the rows of a table that the bundle answered."""
    ours = table.filter(pc.equal(table["bundle"], watched.hash))
    state.others += table.num_rows - ours.num_rows
    if not ours.num_rows:
        return
    rows = live_rows(ours, watched.reference)
    confidence = in_steps(rows.probabilities).max(axis=1).astype(np.float64)
    state.stream.add(watched.rule.live(rows), rows.predicted, confidence, row_times(ours), _sessions(ours))


def live_rows(table: pa.Table, reference: ReferenceRows) -> Rows:
    """Rows of the log as arrays.

    Args:
        table: rows of one bundle.
        reference: of that bundle.

    Raises:
        DarkroomError: when the rows have another number of classes than the bundle.
    """
    probabilities = np.array(table["probabilities"].to_pylist(), np.float32)
    classes = reference.probabilities.shape[1]
    if probabilities.shape[1:] != (classes,):
        raise DarkroomError(
            f"rows of the log have {probabilities.shape[-1]} probabilities, and the bundle has {classes} classes: "
            "remove the parts that another model wrote under this bundle's hash"
        )
    properties = np.stack([table[name].to_numpy(zero_copy_only=False) for name in PROPERTIES], axis=1)
    projections = np.full((len(probabilities), DIRECTIONS), np.nan, np.float32)
    size = len(reference.directions)
    for row, features in enumerate(table["features"].to_pylist()):
        if size and features is not None and len(features) == size:
            projections[row] = project(np.array([features], np.float32), reference.directions)[0]
    return Rows(probabilities, properties.astype(np.float32), projections)


def _sessions(table: pa.Table) -> UInt64s:
    """A number for each row's session, 0 where the log has none."""
    if "session" not in table.column_names:
        return np.zeros(table.num_rows, np.uint64)
    return np.array([seed_of(name) if name else 0 for name in table["session"].to_pylist()], np.uint64)
