"""Benchmarks are kept able to run: they import without the peers, and each says what it measures and how it is started."""

import ast
import importlib

import pytest

from tests.conftest import ROOT

MODULES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem != "__init__")
# Started by `compression`, `intake`, `photographs`, `time_to_accuracy` and `training`, in the environment of the peers.
STARTED = ("compression_peers", "intake_peers", "photographs_peers", "time_to_accuracy_peers", "training_peers")
COMMANDS = [
    name
    for name in MODULES
    if "main()" in (ROOT / f"benchmarks/{name}.py").read_text(encoding="utf-8") and name not in STARTED
]


@pytest.mark.parametrize("name", MODULES)
def test_benchmarks_import(name: str) -> None:
    assert importlib.import_module(f"benchmarks.{name}").__doc__


@pytest.mark.parametrize("name", COMMANDS)
def test_a_benchmark_says_what_it_measures_and_how_to_run_it(name: str) -> None:
    told = ast.get_docstring(ast.parse((ROOT / f"benchmarks/{name}.py").read_text(encoding="utf-8"))) or ""
    assert "Measures" in told and f"\n    python -m benchmarks.{name}" in told
    assert f"`python -m benchmarks.{name}" in (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")


def test_every_benchmark_is_found() -> None:
    data = {"decoders", "growth", "intake", "loaders", "near_copies", "noop", "strangers"}
    scale = {"executors", "long_tables"}
    training = {
        "convolutions",
        "networks",
        "step_parts",
        "time_to_accuracy",
        "training",
        "training_kills",
        "training_memory",
    }
    bundle = {"cold_start", "compression", "label_errors", "slices"}
    service = {"monitor", "serving", "serving_stress"}
    line = {"stage_times"}
    choice = {"gpu", "photographs", "selection", "sets"}
    upkeep = {"gate"}
    assert data | scale | training | bundle | service | choice | line | upkeep == set(COMMANDS)


def test_peers_have_exact_versions() -> None:
    lines = (ROOT / "benchmarks/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert all(line.count("==") == 1 for line in lines if not line.startswith("#"))
