"""Files of a tracked folder are found in DVC's cache as DVC itself lays it out, or not at all."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from darkroom.runtime.local_cache import cached_files


@pytest.fixture
def tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What DVC says of a folder that it has just taken into its cache."""
    monkeypatch.chdir(tmp_path)
    for name in ("manifest/one", "manifest/two", "shards/one"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for words in (["init", "--no-scm", "--quiet"], ["add", "--quiet", "data"]):
        subprocess.run([sys.executable, "-m", "dvc", *words], check=True)
    output: dict[str, Any] = yaml.safe_load((tmp_path / "data.dvc").read_text())["outs"][0]
    return output


def test_the_files_below_a_folder_are_found_whole_or_not_at_all(tracked: dict[str, Any]) -> None:
    shutil.rmtree("data")
    found = cached_files(tracked, "manifest/")
    assert found and sorted(file.read_text() for file in found) == ["manifest/one", "manifest/two"]
    assert cached_files(tracked, "elsewhere/") == []
    found[0].unlink()
    assert cached_files(tracked, "manifest/") is None


@pytest.mark.parametrize("output", [{}, {"hash": "md5", "md5": ""}, {"hash": "md5", "md5": "ab" * 16 + ".dir"}])
def test_what_the_cache_lacks_is_left_to_dvc(
    output: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cached_files(output, "manifest/") is None
