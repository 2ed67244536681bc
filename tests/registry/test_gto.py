"""Other tools read the same tags: GTO's command and DVC's interface find versions, champion and the artifact's path."""

import json
import subprocess
import sys
from pathlib import Path

import dvc.api
import pytest

from darkroom.registry import rollback
from tests.conftest import ROOT
from tests.support.registry import make_git, promote_bundle

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_git(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text((ROOT / ".dvc/config").read_text())
    (tmp_path / "dvc.yaml").write_text("artifacts:\n  classifier: {path: models/export, type: model}\n")
    for command in (["add", "."], ["commit", "-qm", "start"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_gto_and_dvc_read_versions_and_champion(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = promote_bundle(root, 1), promote_bundle(root, 2)
    rollback(root)
    program = Path(sys.executable).with_name("gto")
    if not program.exists():
        pytest.skip("there is no gto in this environment")
    shown = subprocess.run([program, "show", "--json"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert json.loads(shown)["classifier"] == {
        "version": "v1.1.0",
        "stage": {"champion": "v1.0.0"},
        "registered": True,
        "active": True,
    }
    monkeypatch.chdir(root)
    assert dvc.api.artifacts_show("classifier", stage="champion") == {
        "rev": first.commit,
        "path": "models/export",
    }
    assert dvc.api.artifacts_show("classifier", version="v1.1.0")["rev"] == second.commit
    assert dvc.api.artifacts_show("classifier")["rev"] == second.commit
