"""From the service to the label queue: a sample of each day's images, its age, and what a label of it stands for."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from darkroom.labels.queue_labels import label_weights, read_queue_labels
from darkroom.runtime.paths import INBOX, SAMPLES
from tests.support.label_queue import make_reference_bundle, open_tiny_queue, png
from tests.support.running import ask, running

PER_DAY, SENT, DAYS = 5, 40, 3


def test_the_queue_asks_for_what_a_running_service_sampled(tmp_path: Path) -> None:
    make_reference_bundle(tmp_path / "bundle", ("cat", "dog", "été"))
    samples, now = tmp_path / SAMPLES, datetime.now(UTC)
    for age in (DAYS + 1, DAYS):
        (samples / f"{now - timedelta(days=age):%Y-%m-%d}").mkdir(parents=True)
    options = (f"--samples={samples}", f"--samples-per-day={PER_DAY}", f"--samples-days={DAYS}")
    with running(tmp_path / "bundle", *options) as started:
        connection = started.connect()
        for seed in range(SENT):
            assert ask(connection, png(seed))[0] == 200
            # A few images wait to be written, and others are left out meanwhile: no answer waits for the disk.
            time.sleep(0.005)
        assert ask(connection, b"no image")[0] == 422
        connection.close()
    days = sorted(folder.name for folder in samples.iterdir())
    assert days[0] == f"{now - timedelta(days=DAYS):%Y-%m-%d}" and len(days) in (2, 3)
    counts = {day: json.loads((samples / day / "day.json").read_text())["answered"] for day in days[1:]}
    assert sum(counts.values()) == SENT
    kept = {path.stem: day for day in counts for path in (samples / day).iterdir() if path.suffix == ".png"}
    assert len(kept) == sum(min(PER_DAY, answered) for answered in counts.values())

    queue, _ = open_tiny_queue(tmp_path)
    assert queue.images.keys() == kept.keys()
    while queue.current():
        queue.answer("dog")
    labels = read_queue_labels(tmp_path / INBOX)
    assert [each.share for each in labels] == [
        pytest.approx(min(1, PER_DAY / counts[kept[each.sha256]])) for each in labels
    ]
    # All together stand for all images that were answered.
    assert label_weights(labels).sum() == pytest.approx(SENT)
