"""One look of the monitor, from a log to the page."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from darkroom.labels.queue_labels import QueueLabel, write_queue_labels
from darkroom.monitor import watch as watching
from darkroom.monitor.status import Status
from darkroom.monitor.watch import mark_sent, watch
from darkroom.monitoring.state import STATE
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.runtime.paths import INBOX
from tests.support.logged import log_rows, make_watched_bundle, write_part


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle, and a log of 300 clean answers."""
    monkeypatch.chdir(tmp_path)
    bundle = make_watched_bundle(tmp_path / "bundle")
    write_part(tmp_path / "log/2026-11-27/predictions-a.jsonl", log_rows(bundle, 300))
    return tmp_path


def look(accept: bool = False) -> Status:
    return watch(Path("log"), Path("bundle"), 1e6, accept)


def darken(root: Path, count: int = 150) -> None:
    write_part(
        root / "log/2026-11-27/predictions-a.jsonl", log_rows(root / "bundle", count, light=0.6, seed=3, after=1000)
    )


def test_clean_answers_are_quiet_with_the_accuracy_of_the_reference(root: Path) -> None:
    status = look()
    assert status.sentence.startswith("No shift in 300 answers: accuracy is estimated at 9")
    assert status.accuracy is not None
    assert status.accuracy.accuracy == pytest.approx(0.93, abs=0.03)
    assert (status.kind, status.since, status.tested) == (None, None, 300)
    assert json.loads((root / "reports/monitor/status.json").read_text())["kind"] is None
    assert "No shift in 300 answers" in (root / "reports/monitor/index.html").read_text()


def test_darker_pictures_are_named_with_their_beginning_and_accepted_they_are_usual(root: Path) -> None:
    look()
    darken(root)
    status = look()
    assert status.kind is not None
    assert (status.kind.name, status.kind.words) == ("quality", "darker")
    assert status.since == "2026-11-27T06:16:40+00:00"
    assert status.sentence.startswith("Images are darker since 27 November 2026, 06:16 UTC")
    assert "make accept-baseline" in (root / "reports/monitor/index.html").read_text()
    accepted = look(accept=True)
    assert (accepted.kind, accepted.images) == (None, 0)
    assert accepted.sentence == "No answer of this bundle came since the baseline was accepted."
    write_part(
        root / "log/2026-11-27/predictions-a.jsonl", log_rows(root / "bundle", 200, light=0.6, seed=4, after=2000)
    )
    again = look()
    assert (again.kind, again.images, again.accepted) == (None, 200, True)


def test_it_goes_on_after_a_kill_and_ends_in_the_same_state(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look()
    shutil.copytree(root / ".darkroom", root / "before")
    darken(root)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(watching, "save_state", killed)
        look()
    after_kill = look().to_dict()
    state = (root / ".darkroom/monitor" / STATE).read_bytes()
    shutil.rmtree(root / ".darkroom")
    (root / "before").rename(root / ".darkroom")
    assert look().to_dict() == after_kill
    assert (root / ".darkroom/monitor" / STATE).read_bytes() == state


def test_rows_of_another_bundle_are_counted_and_not_looked_at(root: Path) -> None:
    other = make_watched_bundle(root / "other", images=100)
    write_part(root / "log/2026-11-27/predictions-a.jsonl", log_rows(other, 20, light=0.1, after=500))
    status = look()
    assert (status.images, status.others) == (300, 20)


def test_few_answers_wait_and_none_are_said(root: Path) -> None:
    shutil.rmtree(root / "log")
    (root / "log").mkdir()
    assert look().sentence == "No answer of this bundle is in the log yet."
    write_part(root / "log/2026-11-27/predictions-a.jsonl", log_rows(root / "bundle", 9))
    assert look().sentence == "9 answers so far: the monitor tests them when there are 64."


def test_a_bundle_of_an_earlier_version_is_refused_with_a_remedy(root: Path) -> None:
    (root / "bundle/reference.npz").unlink()
    with pytest.raises(
        DarkroomError, match="an earlier version wrote this bundle; make it again with `dvc repro export`"
    ):
        look()
    with pytest.raises(DarkroomError, match="there is no bundle nowhere"):
        watch(Path("log"), Path("nowhere"), 1e6)


def test_labels_of_the_queue_measure_accuracy(root: Path) -> None:
    index = file_hash(root / "bundle/bundle.json")
    row = QueueLabel("", "dark", "Ada", "2026-11-27T08:00:00+00:00", "random", "dark", 0.9, index, "pool", 300, 0, 1.0)
    wrong = replace(row, label="bright")
    labels = [replace(wrong if rank < 4 else row, sha256=f"{rank:064x}", rank=rank) for rank in range(40)]
    labels += [replace(wrong, sha256="f" * 64, bundle="another", pool="other")]
    (root / INBOX).mkdir(parents=True)
    write_queue_labels(root / INBOX, labels)
    status = look()
    assert status.measured is not None
    assert (status.measured.labels, status.measured.accuracy) == (40, 0.9)
    # The score interval of 36 of 40.
    assert (status.measured.low, status.measured.high) == pytest.approx((0.7695, 0.9604), abs=1e-4)
    assert "accuracy is 90.0% (76.9% to 96.0%) by 40 labels, and was 9" in status.sentence


def test_too_few_images_are_no_baseline(root: Path) -> None:
    shutil.rmtree(root / "log")
    write_part(root / "log/2026-11-27/predictions-a.jsonl", log_rows(root / "bundle", 79))
    with pytest.raises(DarkroomError, match="a baseline needs 80 images, and 79 came"):
        look(accept=True)


def test_an_alarm_is_sent_again_after_the_cooldown_and_another_one_at_once(tmp_path: Path) -> None:
    sent = [
        mark_sent(found, 24, now, tmp_path)
        for found, now in (("a", 0.0), ("a", 86_000.0), ("a", 86_400.0), ("b", 86_401.0), ("b", 90_000.0))
    ]
    assert sent == [True, False, True, True, False]
