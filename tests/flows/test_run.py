"""`make run` from the keyboard's side: mistakes are shown at once, one run at a time, and the printed end."""

import re

from darkroom.settings.read import read_params
from tests.flows.test_overrides import AWKWARD
from tests.support.repository import FAILS, Repository


def test_an_awkward_path_reaches_params_yaml(repository: Repository) -> None:
    images = repository.root / AWKWARD
    (repository.root / "images").rename(images)
    status, printed = repository.run("-m", "flows.run", "--images", str(images), "--set", "train.weight_decay=1e-5")
    assert status == 0, printed
    written = read_params(repository.root / "params.yaml")
    assert written.ingest.path == AWKWARD
    assert written.train.weight_decay == 1e-5


def test_all_mistakes_are_shown_at_once_before_anything_is_written(repository: Repository) -> None:
    settings = "train.epoch=3 ingest.source=zpi train.batch_size=many sede=1"
    status, printed = repository.run("-m", "flows.run", "--images", "", "--set", settings)
    assert status == 1
    assert printed.startswith("error: 4 mistakes in the settings")
    assert "did you mean train.epochs?" in printed and "did you mean zip?" in printed
    assert "'many'" in printed and "'sede=1'" in printed
    assert not (repository.root / "dvc.lock").exists()
    assert repository.git("status", "--porcelain") == ""


def test_a_run_ends_with_the_headline_times_places_and_commands(ran: Repository) -> None:
    printed = ran.printed
    assert "test accuracy  90.00%, 95% interval 85.00% to 95.00%, on 1,234 images" in printed
    assert re.search(r"^ingest +\d+\.\d s +\d+\.\d s of CPU +\d\.\d GB$", printed, re.MULTILINE)
    assert re.search(r"^in all +\d+\.\d s, with", printed, re.MULTILINE)
    assert "reports/evaluate/report.html" in printed and "models/export" in printed
    assert "git add dvc.lock" in printed and "darkroom.predict" in printed

    status, printed = ran.run("-m", "flows.run", "--set", "train.epochs=3")
    assert status == 0, printed
    assert "params.yaml now has train.epochs=3; `git checkout params.yaml`" in printed
    assert re.search(r"^ingest +up to date$", printed, re.MULTILINE)
    assert re.search(r"^train +\d+\.\d s +\d", printed, re.MULTILINE)


def test_a_stage_that_stops_ends_the_run_with_its_message_and_what_params_yaml_holds(ran: Repository) -> None:
    status, printed = ran.run("-m", "flows.run", "--set", f"train.epochs={FAILS}")
    assert status == 1
    assert "Traceback" not in printed
    last = printed[printed.rindex("\nerror: ") + 1 :]
    assert last.startswith("error: stage train stopped: the loss is not a number:\n  - in epoch 1\n  - in epoch 2\n")
    assert f"params.yaml now has train.epochs={FAILS}; `git checkout params.yaml` restores" in last
    assert f"epochs: {FAILS}" in (ran.root / "params.yaml").read_text()
