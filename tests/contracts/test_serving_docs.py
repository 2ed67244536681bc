"""Every command of the pages about the service that asks the service, typed as it stands there, against one that runs."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from serving.openapi import REASONS
from serving.settings import Settings
from tests.conftest import ROOT
from tests.support.running import running

PAGES = ("serving.md", "platforms.md", "prediction_log.md")
TEXT = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in PAGES)
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```", TEXT, flags=re.M | re.S) for line in block.splitlines()
]
ASKING = [command for command in COMMANDS if "localhost:8080" in command]


@pytest.fixture(scope="module")
def folder(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the two pictures of the commands."""
    found = tmp_path_factory.mktemp("user")
    pictures = sorted((shipped / "images").rglob("*.png"))
    for name, picture in zip(("photo.jpg", "other.jpg"), pictures, strict=False):
        Image.open(picture).convert("RGB").save(found / name)
    return found


@pytest.fixture(scope="module")
def port(shipped: Path) -> Iterator[int]:
    """Of a running service."""
    with running(shipped / "models/export", "--grace", "0") as service:
        yield service.port


@pytest.mark.slow
@pytest.mark.parametrize("command", ASKING)
def test_a_command_is_answered(command: str, port: int, folder: Path) -> None:
    typed = command.replace("localhost:8080", f"localhost:{port}").replace("curl ", "curl -sS --fail-with-body ")
    done = subprocess.run(["bash", "-c", typed], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{typed}\n{done.stdout}\n{done.stderr}"
    if command.endswith("-o heatmap.png"):
        assert Image.open(folder / "heatmap.png").size > (0, 0)
    else:
        assert done.stdout.startswith(("{", "["))


@pytest.mark.slow
def test_the_command_for_keys_makes_one(tmp_path: Path) -> None:
    (command,) = [each for each in COMMANDS if "serving.keys" in each]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout[:3]) == (0, "dr_"), done.stderr
    assert (tmp_path / "keys.json").exists()


def test_there_is_a_command_for_each_address() -> None:
    asked = set(re.findall(r"localhost:8080(/[\w/]+)", " ".join(ASKING)))
    assert {"/v1/predict", "/v1/explain", "/v1/model", "/healthz", "/readyz"} <= asked


def test_every_status_and_every_setting_of_the_text_is_one() -> None:
    listed = {int(status) for row in re.findall(r"^\| ([0-9, ]+) \|", TEXT, flags=re.M) for status in row.split(",")}
    assert set(REASONS) <= listed
    options = {"--" + name.replace("_", "-") for name in Settings.model_fields}
    of_others = {"--port", "--json", "--log", "--data-binary", "--help", "--scopes", "--per-minute", "--file"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) <= options | of_others
