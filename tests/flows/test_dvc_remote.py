"""`dvc push` and `pull` to S3: what one clone pushed another one has, byte for byte."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests.support.object_stores import s3_server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    pytest.importorskip("dvc_s3", reason="dvc-s3 of requirements-s3.txt is not installed")
    with s3_server() as address:
        yield address


def dvc(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_what_one_clone_pushed_another_pulls(s3: str, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=first, check=True)
    dvc(first, "init", "-q")
    dvc(first, "remote", "add", "--default", "storage", "s3://photos/dvc")
    (first / "model").mkdir()
    content = {"graph.onnx": b"\0" * 100_000, "ä 1.json": b"{}"}
    for name, data in content.items():
        (first / "model" / name).write_bytes(data)
    dvc(first, "add", "model")
    # Two files, and the list of the folder's files.
    assert "3 files pushed" in dvc(first, "push")
    assert "Everything is up to date" in dvc(first, "push")
    assert len(fsspec.filesystem("s3").find("photos/dvc")) == 3

    second = tmp_path / "second"
    (second / ".dvc").mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=second, check=True)
    for name in (".dvc/config", "model.dvc"):
        (second / name).write_bytes((first / name).read_bytes())
    dvc(second, "pull")
    assert {path.name: path.read_bytes() for path in (second / "model").iterdir()} == content
