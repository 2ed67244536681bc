"""deploy/ goes where the service goes: into images that have only what requirements-serve.txt installs."""

import subprocess
import sys

from tests.conftest import ROOT


def test_nothing_of_training_is_imported() -> None:
    modules = "deploy.repository, deploy.image, deploy.clouds.aws_lambda.handler"
    code = f"import sys, {modules}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    imported = set(ran.stdout.split())
    assert "onnxruntime" in imported
    assert not imported & {"torch", "pandas", "pyarrow", "dvc", "prefect", "scipy", "sklearn"}
