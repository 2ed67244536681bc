"""Every command of the README, typed as it stands there, in one clone from top to bottom.

Also the contract that two clones, one by DVC and one by the Prefect flow, come to the same hashes.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.M | re.S)
    for line in block.splitlines()
]
# These stages run every time.
ALWAYS = {"survey", "code"}
# What a bare `make run` and `make flow` stand for here: the same line on the digits, which are quick.
DIGITS = {"SET": "ingest.source=digits train.epochs=2"}
# And with a preset, on smaller pictures than its own.
SMALL = {"SET": "preprocess.size=64 train.epochs=2"}

Clone = Callable[[], Path]


def shell(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a command as a user would, in bash, and show all it printed when it fails."""
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def outputs(folder: Path) -> dict[str, str]:
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    return {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage["outs"]}


def ran_by(printed: str) -> list[str]:
    """The stages that DVC says it ran, or would run."""
    return re.findall(r"Running stage '(\w+)'", printed)


# What runs until Ctrl-C, and what it prints when it is ready.
LASTING = {"make schedule": "run now", "make serve": "Ctrl-C ends it"}


def run_until_ready(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Start what runs until Ctrl-C, wait until it is ready, then press it."""
    process = subprocess.Popen(
        command.split(), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    printed = ""
    while LASTING[command] not in printed:
        line = process.stdout.readline()
        assert line, printed
        printed += line
    time.sleep(5)
    os.killpg(process.pid, signal.SIGINT)
    printed += process.communicate(timeout=60)[0]
    assert "Traceback" not in printed, printed
    return printed


@pytest.mark.slow
def test_every_command_of_the_readme(make_clone: Clone, user_environment: dict[str, str], digit_folder: Path) -> None:
    clone = make_clone()
    shutil.copytree(digit_folder, clone / "path/to/images")
    shutil.copy(digit_folder / "one/00.png", clone / "path/to/image.png")
    activated = user_environment | {"PATH": f"{clone}/.venv/bin:{user_environment['PATH']}"}
    printed: dict[str, str] = {}
    for command in COMMANDS:
        if command.startswith("make test"):
            # That is what runs this; its recipe is only read.
            printed[command] = shell(command.replace("make", "make --dry-run", 1), clone, user_environment)
        elif command in LASTING:
            # At a port that is free.
            printed[command] = run_until_ready(command, clone, user_environment | {"PORT": "0"})
        elif command == "make run":
            printed[command] = shell(command, clone, user_environment | DIGITS)
            shell("git add dvc.lock params.yaml && git commit -qm 'The first version'", clone, user_environment)
            first = outputs(clone)
        elif "PRESET=" in command:
            printed[command] = shell(command, clone, user_environment | SMALL)
        elif command == "make tune":
            text = (clone / "params.yaml").read_text(encoding="utf-8")
            (clone / "params.yaml").write_text(text.replace("trials: 20", "trials: 2"), encoding="utf-8")
            printed[command] = shell(command, clone, user_environment)
            (clone / "params.yaml").write_text(text, encoding="utf-8")
        else:
            printed[command] = shell(command, clone, activated)

    assert re.search(r"test accuracy +\d+\.\d+%, 95% interval \d+\.\d+% to \d+\.\d+%", printed["make run"]), printed[
        "make run"
    ]
    answer = json.loads(printed["python -m darkroom.predict models/export path/to/image.png --json"])
    assert answer["label"] in {"one", "two", "zero"}
    difference = printed["python -m darkroom.diff HEAD~1 HEAD --html diff.html"]
    assert "120" in difference and "1,797" in difference, difference
    assert set(ran_by(printed["dvc repro"])) == ALWAYS
    assert (clone / "reports/tune/index.html").exists() and (clone / "reports/train/index.html").exists()
    assert len(COMMANDS) > 17

    other = make_clone()
    text = (other / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("source: fashion-mnist", "source: digits").replace("epochs: 12", "epochs: 2")
    (other / "params.yaml").write_text(text, encoding="utf-8")
    flow = shell("make flow", other, user_environment)
    assert "test accuracy" in flow
    assert outputs(other) == first
    assert set(ran_by(shell("dvc repro", other, activated))) == ALWAYS

    # A change of a setting reruns its stage and what follows, and nothing before.
    changed = shell("sed -i 's/epochs: 2/epochs: 1/' params.yaml && dvc repro --dry", other, activated)
    ran = ran_by(changed)
    assert (
        set(ran[:2]) == ALWAYS and ran[2] == "train" and not {"ingest", "validate", "split", "preprocess"} & set(ran)
    ), changed


def test_no_command_is_forgotten() -> None:
    assert {"make run", "make test", "make flow", "make schedule", "make serve"} <= set(COMMANDS)
