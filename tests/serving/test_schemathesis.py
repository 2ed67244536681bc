"""The OpenAPI document against the service: what it says is sent, what it forbids is refused, and nothing is a fault."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import running

CONFIG = """
[checks]
# A random text is no image, whatever its form.
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = [400, 403, 404, 405, 406, 413, 415, 422]

# In a form all values are bytes: a file that has the text of a number is no mistake. test_bodies has those that are.
[[operations]]
include-path-regex = "^/(v1|invocations)"
checks.negative_data_rejection.enabled = false
"""


@pytest.mark.slow
def test_every_operation_does_what_its_document_says(shipped: Path, tmp_path: Path) -> None:
    tool = shutil.which("schemathesis", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if not tool:
        pytest.skip("schemathesis is not installed: pip install -r tests/serving/requirements.txt")
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    inbox = str(tmp_path / "inbox")
    with running(shipped / "models/export", "--grace", "0", "--corrections", inbox) as service:
        document = f"http://127.0.0.1:{service.port}/openapi.json"
        command = [tool, "run", document, "--max-examples", "100", "--seed", "1"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        assert service.process.poll() is None
