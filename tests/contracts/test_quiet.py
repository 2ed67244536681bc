"""Nothing that the library uses reports to its maker: no number of this device is written, no host is looked up."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# A session of onnxruntime over a graph that gives what it takes, as the rooms open one.
SESSION = """
from onnx import TensorProto, helper
from darkroom.inference.session import open_session

pixels, same = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("pixels", "same"))
graph = helper.make_graph([helper.make_node("Identity", ["pixels"], ["same"])], "same", [pixels], [same])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
open_session(model.SerializeToString())
"""
# What is asked for a host's address, and the call that would reach it.
LOOK_UPS = re.compile(r"/etc/resolv\.conf|/etc/hosts|AF_INET6?\b")


@pytest.mark.parametrize("first", ["", "import benchmarks, onnxruntime"])
def test_a_session_writes_nothing_below_the_home_and_looks_up_no_host(first: str, tmp_path: Path) -> None:
    home, calls = tmp_path / "home", tmp_path / "calls"
    home.mkdir()
    # With CI=true onnxruntime reports nothing whatever is set.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CI", "ORT_DISABLE_TELEMETRY") and not name.startswith("XDG_")
    }
    strace = shutil.which("strace")
    traced = [strace, "-f", "-e", "trace=openat,connect", "-o", str(calls)] if strace else []
    done = subprocess.run(
        [*traced, sys.executable, "-c", first + SESSION],
        cwd=ROOT,
        env=environment | {"HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.rglob("*")) == []
    if strace:
        assert LOOK_UPS.findall(calls.read_text()) == []


def test_packages_are_silenced_before_the_first_of_them_is_imported() -> None:
    """Whatever a user's environment says; a process that is started from here inherits it."""
    asked = (
        "import os, darkroom; print(*(f'{name}={os.environ[name]}' for name in "
        "('ORT_DISABLE_TELEMETRY', 'DO_NOT_TRACK', 'DVC_NO_ANALYTICS', 'GX_ANALYTICS_ENABLED', 'NO_ALBUMENTATIONS_UPDATE', "
        "'HF_HUB_DISABLE_TELEMETRY', 'PREFECT_SERVER_ANALYTICS_ENABLED')))"
    )
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "0", "DO_NOT_TRACK": "", "GX_ANALYTICS_ENABLED": "true"}
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "ORT_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1 DVC_NO_ANALYTICS=1 GX_ANALYTICS_ENABLED=false NO_ALBUMENTATIONS_UPDATE=1 "
        "HF_HUB_DISABLE_TELEMETRY=1 PREFECT_SERVER_ANALYTICS_ENABLED=false\n"
    )
