"""`make run` from the keyboard's side: every mistake at once, what is kept when a stage stops, and the printed end."""

import re

from tests.flows.repository import FAILS, Repository


def test_all_mistakes_are_told_at_once_before_anything_runs(repository: Repository) -> None:
    settings = "train.epoch=3 ingest.source=zpi train.batch_size=many sede=1"
    status, printed = repository.run("-m", "flows.run", "--images", "", "--set", settings)
    assert status == 1
    assert printed.startswith("error: 4 mistakes in the settings")
    assert "did you mean epochs?" in printed and "did you mean zip?" in printed
    assert "'many'" in printed and "'sede=1'" in printed
    assert not (repository.root / "dvc.lock").exists()


def test_a_run_ends_with_the_headline_times_places_and_commands(repository: Repository) -> None:
    status, printed = repository.run("-m", "flows.run", "--images", "", "--set", "")
    assert status == 0, printed
    assert "test accuracy  90.00%, 95% interval 85.00% to 95.00%, on 1,234 images" in printed
    assert re.search(r"^ingest +\d+\.\d s$", printed, re.MULTILINE)
    assert re.search(r"^in all +\d+\.\d s, with", printed, re.MULTILINE)
    assert "reports/evaluate/report.html" in printed and "models/export" in printed
    assert "git add dvc.lock" in printed and "darkroom.predict" in printed

    status, printed = repository.run("-m", "flows.run", "--set", "train.epochs=3")
    assert status == 0, printed
    assert "params.yaml keeps train.epochs=3; `git checkout params.yaml`" in printed
    assert re.search(r"^ingest +up to date$", printed, re.MULTILINE)
    assert re.search(r"^train +\d+\.\d s$", printed, re.MULTILINE)


def test_a_stage_that_stops_ends_the_run_with_its_message_and_what_params_yaml_holds(repository: Repository) -> None:
    status, printed = repository.run("-m", "flows.run", "--set", f"train.epochs={FAILS}")
    assert status == 1
    assert "Traceback" not in printed
    last = printed[printed.rindex("\nerror: ") + 1 :]
    assert last.startswith("error: stage train stopped: the loss is not a number:\n  - in epoch 1\n  - in epoch 2\n")
    assert f"params.yaml keeps train.epochs={FAILS}; `git checkout params.yaml` brings back" in last
    assert f"epochs: {FAILS}" in (repository.root / "params.yaml").read_text()
