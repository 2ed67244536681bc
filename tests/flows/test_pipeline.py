"""The flow makes what `dvc repro` makes, fails with one message, and leaves nothing behind when it is stopped."""

import json
import os
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.support.repository import FAILS, HANGS, Repository, ended, wait_for

pytestmark = pytest.mark.xdist_group("prefect")


def test_without_a_server_the_flow_leaves_the_same_hashes_as_dvc_repro_and_no_noise(
    repository: Repository, repository_after_a_run: Repository
) -> None:
    # As on a firm's machine, and as compose files pass on what nobody set.
    passed = {"http_proxy": "http://127.0.0.1:9", "PREFECT_API_URL": "", "PREFECT_API_KEY": "", "PREFECT_HOME": ""}
    status, printed = repository.run("-m", "flows.pipeline", **passed)
    assert status == 0, printed
    assert (repository.root / "dvc.lock").read_bytes() == (repository_after_a_run.root / "dvc.lock").read_bytes()
    assert "Traceback" not in printed and "ERROR" not in printed and "WARNING" not in printed
    assert "Task run 'train' - Finished in state Completed" in printed
    assert printed.endswith(
        "test accuracy 90.00%, 95% interval 85.00% to 95.00%, on 1,234 images\n"
        "data version 0123456789ab\nreport reports/evaluate/report.html\nbundle models/export\n"
    )
    assert (repository.root / ".darkroom/prefect/prefect.db").exists()
    assert list(Path(repository.environment["HOME"]).iterdir()) == []
    assert not [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(repository.root)]


def test_tests_that_start_prefect_share_a_process(request: pytest.FixtureRequest) -> None:
    """Some versions of pytest and pytest-xdist do not group, without a word: two schedules would meet one server."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@prefect")


def test_a_failing_stage_fails_the_flow_with_one_message(ran: Repository, prefect_api: str) -> None:
    ran.set("epochs", FAILS)
    status, printed = ran.run("-m", "flows.pipeline", PREFECT_API_URL=prefect_api)
    assert status == 1
    assert "Task run 'train' - epoch 1" in printed  # live, in the log of the run
    assert "Traceback" not in printed and "NoneType: None" not in printed
    assert printed.endswith("\nerror: stage train stopped: the loss is not a number:\n  - in epoch 1\n  - in epoch 2\n")
    wait_for(lambda: states(prefect_api)[0] == "FAILED")


def test_a_stopped_flow_leaves_no_stage_behind(ran: Repository, prefect_api: str) -> None:
    ran.set("epochs", HANGS)
    flow = ran.start("-m", "flows.pipeline", PREFECT_API_URL=prefect_api)
    training = ran.training()
    flow.terminate()
    printed = flow.communicate()[0]
    assert flow.returncode == 143
    assert "Traceback" not in printed
    wait_for(lambda: ended(training))
    wait_for(lambda: states(prefect_api)[0] == "CRASHED")


def test_a_server_that_does_not_answer_is_an_error_before_anything_runs(repository: Repository) -> None:
    for variable, value, message in (
        ("PREFECT_API_URL", "http://127.0.0.1:9/api", "error: no Prefect server answers at http://127.0.0.1:9/api"),
        ("PREFECT_SERVER_API_PORT", "99999", "error: PREFECT_SERVER_API_PORT is '99999', should be"),
    ):
        status, printed = repository.run("-m", "flows.pipeline", **{variable: value})
        assert status == 1
        assert message in printed and "Traceback" not in printed
    assert not (repository.root / "dvc.lock").exists()


def states(api: str) -> list[str]:
    """The states of all flow runs, the newest first."""
    request = urllib.request.Request(
        f"{api}/flow_runs/filter",
        data=json.dumps({"sort": "EXPECTED_START_TIME_DESC"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return [run["state_type"] for run in json.load(answer)]
