"""One run at a time in a folder: a second one waits, or is told who is at work; what a killed run left is put in order."""

import json
import os
import re
import signal
import sys
from pathlib import Path

from flows.lock import line_lock
from tests.support.repository import HANGS, Repository, ended, git_state, wait_for

AT_WORK = (
    r"another run of the line is at work in this folder \({who}, process {pid}, since 20\d\d-\d\d-\d\d \d\d:\d\d\)"
)


def test_a_run_that_is_stopped_leaves_no_training(ran: Repository) -> None:
    ran.set("epochs", HANGS)
    before = git_state(ran.root)
    command = ran.start("-m", "flows.run")
    training = ran.training()
    command.send_signal(signal.SIGINT)
    printed = command.communicate()[0]
    assert command.returncode == 130 and "Traceback" not in printed
    wait_for(lambda: ended(training))
    assert git_state(ran.root) == before


def test_what_a_killed_run_left_is_put_in_order(ran: Repository) -> None:
    ran.set("epochs", HANGS)
    command = ran.start("-m", "flows.run")
    training = ran.training()
    command.kill()
    command.wait()
    assert not ended(training)
    # DVC was writing when it was killed, and its number is another program's by now.
    (ran.root / "dvc.lock").write_text("schema: '2.0'\nstages:\n  ingest:\n    cmd:")
    (ran.root / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {"data": {"pid": 1, "cmd": "dvc repro"}}})[:-3])

    status, printed = ran.run("-m", "flows.run", "--set", "train.epochs=3")
    assert status == 0, printed
    assert ended(training)
    # DVC and the stage; Python's resource tracker is a third while the stage has one.
    assert re.search(
        r"the run before was killed: \d of its processes were still there, and are ended\ndvc\.lock was cut off",
        printed,
    )
    assert not (ran.root / ".darkroom/line/unfinished").exists()


def test_a_second_run_waits_and_writes_its_settings_when_the_first_has_ended(ran: Repository) -> None:
    ran.set("epochs", HANGS)
    first = ran.start("-m", "flows.run", "--set", "train.seed=1")
    training = ran.training()
    params = (ran.root / "params.yaml").read_bytes()
    second = ran.start("-m", "flows.run", "--set", "train.epochs=3")
    assert second.stdout
    waiting = second.stdout.readline()
    assert re.fullmatch(AT_WORK.format(who="make run", pid=first.pid) + ": waiting for its end\n", waiting)
    assert (ran.root / "params.yaml").read_bytes() == params
    training.kill()
    first.communicate()
    assert "test accuracy" in second.communicate()[0] and second.returncode == 0
    assert re.search(r"epochs: 3\b", (ran.root / "dvc.lock").read_text())


def test_a_stage_started_by_hand_beside_a_run_is_refused_and_waited_for(ran: Repository) -> None:
    ran.set("epochs", HANGS)
    first = ran.start("-m", "flows.run")
    training = ran.training()
    before = (ran.root / "data/ingest/names").stat().st_mtime_ns
    status, printed = ran.run("ingest.py")
    assert status == 1
    assert re.fullmatch(
        "error: " + AT_WORK.format(who="make run", pid=first.pid) + ": wait for its end, or end it\n", printed
    )
    assert (ran.root / "data/ingest/names").stat().st_mtime_ns == before
    training.kill()
    assert first.wait() == 1

    (ran.root / ".darkroom/train.pid").unlink()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    by_hand = ran.start("-m", "dvc", "repro", "-q", PATH=path)
    training = ran.training()
    params = (ran.root / "params.yaml").read_bytes()
    second = ran.start("-m", "flows.run", "--set", "train.epochs=3")
    assert second.stdout
    assert re.fullmatch(
        rf"`dvc repro -q` \(process {by_hand.pid}\) is at work in this folder: waiting for its end\n",
        second.stdout.readline(),
    )
    assert (ran.root / "params.yaml").read_bytes() == params
    training.kill()
    assert "test accuracy" in second.communicate()[0] and second.returncode == 0


def test_a_dvc_repro_that_is_refused_takes_nothing_away(here: Repository) -> None:
    line = here.root / "dvc.yaml"
    line.write_text(
        line.read_text().replace("- data/ingest\nmetrics", "- data/ingest: {cache: false, persist: true}\nmetrics")
    )
    names = here.root / "data/ingest/names"
    before = names.read_text()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with line_lock("make run"):
        status, printed = here.run("-m", "dvc", "repro", "--force", "ingest", PATH=path)
    assert status and "another run of the line is at work in this folder (make run, process" in printed
    assert names.read_text() == before


def test_a_lock_that_is_free_names_nobody(here: Repository) -> None:
    with line_lock("make tune"):
        assert Path(".darkroom/line/lock").read_text().startswith("make tune, process ")
    assert Path(".darkroom/line/lock").read_text() == ""
