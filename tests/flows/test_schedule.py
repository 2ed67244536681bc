"""A schedule starts real runs, goes on after one that fails, and nothing is left when the schedule is stopped."""

import urllib.request

import psutil
import pytest

from flows.worktree import STATE
from tests.support.repository import FAILS, HANGS, Repository, ended, git_state, wait_for
from tests.support.scheduled import QUICK, ask, served

pytestmark = pytest.mark.xdist_group("prefect")

# `flows.schedule.main` with an interval in the place of the cron.
EVERY_TWO_SECONDS = """
import sys
from darkroom.runtime.lock import alone
from flows import schedule, server
from flows.processes import end_children_on_signals
end_children_on_signals()
with alone(server.SCHEDULE_LOCK, "at work", "a test"):
    schedule.run([sys.executable, "-c", '''
from datetime import timedelta
from prefect.client.schemas.schedules import IntervalSchedule
from flows.deployments import serve
serve(IntervalSchedule(interval=timedelta(seconds=2)))
'''])
"""


def test_a_run_asked_for_starts_and_ends_with_the_schedule(ran: Repository, prefect_api: str) -> None:
    ran.set("epochs", HANGS)
    ran.git("commit", "--quiet", "--all", "--message=long")
    schedule = ran.start("-m", "flows.schedule", **QUICK, PREFECT_API_URL=prefect_api)
    assert schedule.stdout
    title, page, run_now = (schedule.stdout.readline() for _ in range(3))
    assert title == "retraining by the cron '0 3 * * *' (UTC), until Ctrl-C\n"
    assert urllib.request.urlopen(page.removeprefix("  page     ").strip()).status == 200
    # The runner starts after these lines are printed.
    deployments = wait_for(lambda: served(prefect_api))
    assert set(deployments) == {"retrain", "monitor", "doctor"}
    assert all(found["description"] and "darkroom" in found["tags"] for found in deployments.values())
    assert {found["global_concurrency_limit"]["limit"] for found in deployments.values()} == {1}
    deployment = deployments["retrain"]
    assert set(deployment["parameter_openapi_schema"]["properties"]) >= {"reason", "force", "dry"}
    assert [found["schedule"]["cron"] for found in deployment["schedules"]] == ["0 3 * * *"]
    address, prefect, *command = run_now.removeprefix("  run now  ").split()
    status, printed = ran.run(prefect, *command, **dict([address.split("=")]))
    assert status == 0, printed

    status, printed = ran.run("-m", "flows.schedule")
    assert status == 1
    assert printed.startswith(
        f"error: another schedule is at work in this folder (make schedule, process {schedule.pid},"
    )

    family = psutil.Process(schedule.pid).children(recursive=True)
    training = ran.training(STATE)
    schedule.terminate()
    printed = schedule.communicate()[0]
    assert schedule.returncode == 143
    assert "Traceback" not in printed, printed
    wait_for(lambda: all(ended(process) for process in [*family, training]))


def test_a_schedule_starts_runs_by_itself_and_goes_on_after_one_that_fails(ran: Repository, prefect_api: str) -> None:
    ran.set("epochs", FAILS)
    ran.git("commit", "--quiet", "--all", "--message=weak")
    before = git_state(ran.root)
    schedule = ran.start("-c", EVERY_TWO_SECONDS, **QUICK, PREFECT_API_URL=prefect_api)
    failed = {"flows": {"name": {"any_": ["retrain"]}}, "flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}}
    run = wait_for(lambda: ask(prefect_api, "flow_runs/filter", **failed), patience=180)
    schedule.terminate()
    printed = schedule.communicate()[0]
    assert schedule.returncode == 143
    assert "Traceback" not in printed
    assert run[-1]["auto_scheduled"] and run[-1]["name"].endswith(" schedule")
    assert run[-1]["state"]["message"].startswith("stage train stopped: the loss is not a number:")
    assert git_state(ran.root)[:-1] == before[:-1]
    # It is neither paused, so that it goes on next time, nor heaped on an earlier schedule.
    deployments = served(prefect_api)
    assert deployments
    deployment = deployments["retrain"]
    assert not deployment["paused"]
    assert [found["schedule"].get("interval") for found in deployment["schedules"]] == [2]


def test_a_schedule_that_is_none_is_refused_before_anything_starts(repository: Repository) -> None:
    params = repository.root / "params.yaml"
    params.write_text(params.read_text().replace("timezone: UTC", "timezone: Mars/Olympus"))
    status, printed = repository.run("-m", "flows.schedule")
    assert status == 1
    assert "  - schedule.timezone: is 'Mars/Olympus', should be a time zone such as Europe/Paris" in printed
    assert "Traceback" not in printed
    assert not (repository.root / ".darkroom/prefect/server.log").exists()
