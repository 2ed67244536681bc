"""`make` hands over exactly what was typed, makes its environment once, and says what is missing."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import ROOT

AWKWARD = r"""/my pictures/$HOME $(shell echo) ${x} 'single' "double" `tick` a=b;c|d&e<f>g*h?i #j \k 日本 é!"""

# Stands in for Python: it is new enough, an environment is a copy of it, pip only counts, the rest prints its arguments.
FAKE_PYTHON = """\
#!/bin/sh
case "$1 $2" in
  "-c "*) ;;
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  ".ci/installed.py "*) exit ${HAS_NOT:-1} ;;
  ".ci/install.py "*) echo pip >> pip.log; exit ${PIP_STATUS:-0} ;;
  *) printf '%s\\n' "$@" ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile in a folder whose path has a blank, with an environment that is there already."""
    root = tmp_path / "my project"
    (root / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", root)
    (root / "requirements.txt").touch()
    (root / "requirements-dev.txt").touch()
    (root / "requirements-tflite.txt").touch()
    python = root / ".venv/bin/python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    # `make` looks once a second whether pip is done.
    sleep = root / ".venv/bin/sleep"
    sleep.write_text("#!/bin/sh\nexec /bin/sleep 0.05\n")
    sleep.chmod(0o755)
    return root


def make(project: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name
        not in {"MAKEFLAGS", "MAKELEVEL", "IMAGES", "PRESET", "SET", "BUNDLE", "PORT"}
        | {"VENV", "VENV_TFLITE", "PYTHON", "PYTHONPATH"}
    }
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=project,
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("through_environment", [False, True])
def test_images_and_settings_arrive_as_they_were_typed(project: Path, through_environment: bool) -> None:
    settings = f"ingest.path='{AWKWARD}' train.epochs=3"
    if through_environment:
        status, printed = make(project, "run", IMAGES=AWKWARD, SET=settings)
    else:
        status, printed = make(project, "run", f"IMAGES={AWKWARD}", f"SET={settings}")
    assert status == 0
    assert printed.endswith(f"-m\nflows.run\n--images={AWKWARD}\n--set={settings}\n--preset=\n")


def test_serve_gives_bundle_and_port_as_they_were_typed_and_nothing_else(project: Path) -> None:
    assert make(project, "serve")[1].endswith("-m\nserving\n")
    assert make(project, "serve", f"BUNDLE={AWKWARD}", "PORT=9000") == (0, f"-m\nserving\n{AWKWARD}\n--port=9000\n")
    assert make(project, "serve", BUNDLE="a b", PORT="") == (0, "-m\nserving\na b\n")


def test_image_gives_bundle_name_and_bases_as_they_were_typed(project: Path) -> None:
    command = "-m\ndeploy.image\n"
    assert make(project, "image")[1].endswith(f"{command}models/export\n--name=\n--base=\n--build-base=\n")
    typed = ("image", f"BUNDLE={AWKWARD}", "IMAGE=a:1", "BASE=b@sha256:0", "BUILD_BASE=c")
    assert make(project, *typed) == (0, f"{command}{AWKWARD}\n--name=a:1\n--base=b@sha256:0\n--build-base=c\n")


def test_packages_are_installed_once_and_again_when_the_list_changes(project: Path) -> None:
    assert make(project, "run")[0] == 0
    assert make(project, "run") == (0, "-m\nflows.run\n--images=\n--set=\n--preset=\n")
    assert (project / "pip.log").read_text() == "pip\n"
    # A clone or a checkout gives it a new time.
    os.utime(project / "requirements.txt", (2**31, 2**31))
    assert make(project, "run") == (0, "-m\nflows.run\n--images=\n--set=\n--preset=\n")
    (project / "requirements.txt").write_text("dvc==3.67.2\n")
    assert "installing requirements.txt into .venv" in make(project, "run")[1]
    assert (project / "pip.log").read_text() == "pip\npip\n"


def test_an_environment_that_has_the_lock_already_is_left_alone(project: Path) -> None:
    assert make(project, "run", HAS_NOT="0") == (0, "-m\nflows.run\n--images=\n--set=\n--preset=\n")
    assert make(project, "run") == (0, "-m\nflows.run\n--images=\n--set=\n--preset=\n")
    assert not (project / "pip.log").exists()


def test_what_an_environment_has_is_compared_with_a_lock(tmp_path: Path) -> None:
    lock, dvc = tmp_path / "lock.txt", version("dvc")
    digest = f" \\\n    --hash=sha256:{'0' * 64}\n"
    for text, status in (
        (f"# a lock\ndvc=={dvc}{digest}", 0),
        (f"dvc=={dvc}1{digest}", 1),
        (f"dvc=={dvc}{digest}no-such-package==1{digest}", 1),
        (f"dvc=={dvc}{digest}no-such-package==1 ; sys_platform == 'win32'{digest}", 0),
    ):
        lock.write_text(text)
        assert subprocess.run([sys.executable, ROOT / ".ci/installed.py", lock], check=False).returncode == status


def make_wheel(folder: Path, name: str, version: str) -> str:
    """A package of one file, in a folder that pip takes packages from; its entry in a lock."""
    folder.mkdir(exist_ok=True)
    path, information = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def install(lock: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Install a lock from folder/wheels into folder/target."""
    (folder / "lock.txt").write_text(lock)
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels")}
    target = {"PIP_TARGET": str(folder / "target"), "PYTHONPATH": str(folder / "target")}
    command = [sys.executable, str(ROOT / ".ci/install.py"), "lock.txt"]
    return subprocess.run(
        command, cwd=folder, env=os.environ | own | target, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("changed", [False, True])
def test_a_file_with_another_hash_is_not_installed(changed: bool, tmp_path: Path) -> None:
    lock = make_wheel(tmp_path / "wheels", "pebble", "1.0")
    if changed:
        with zipfile.ZipFile(next((tmp_path / "wheels").iterdir()), "a") as archive:
            archive.writestr("another.py", "")
    done = install(lock, tmp_path)
    assert (done.returncode == 0) is (tmp_path / "target/pebble.py").exists() is not changed
    assert ("DO NOT MATCH THE HASHES" in done.stderr) is changed


@pytest.mark.slow
@pytest.mark.parametrize("builds", [("0.1", "0.1+cpu"), ("0.1",)])
def test_only_the_build_of_torch_for_cuda_brings_its_packages(builds: tuple[str, ...], tmp_path: Path) -> None:
    entries = [make_wheel(tmp_path / "wheels", "torch", version) for version in builds]
    (tmp_path / "requirements-cuda.txt").write_text(make_wheel(tmp_path / "wheels", "pebble", "1.0"))
    hashes = " \\\n".join(entry.splitlines()[1] for entry in entries)
    done = install(f"torch==0.1 \\\n{hashes}\n", tmp_path)
    assert done.returncode == 0, done.stderr
    installed = {path.name for path in (tmp_path / "target").glob("*.dist-info")}
    cuda = {"torch-0.1.dist-info", "pebble-1.0.dist-info"}
    assert installed == (cuda if builds == ("0.1",) else {"torch-0.1+cpu.dist-info"})


def test_variables_that_are_set_but_empty_are_not_set(project: Path) -> None:
    empty = dict.fromkeys(("VENV", "VENV_TFLITE", "PYTHON", "IMAGES", "SET", "PRESET"), "")
    run = (0, "-m\nflows.run\n--images=\n--set=\n--preset=\n")
    assert make(project, "run", **empty)[0] == 0
    assert make(project, "run", **empty) == run
    assert make(project, "run", *(f"{name}={value}" for name, value in empty.items())) == run


def test_a_failed_installation_stops_here_and_is_tried_again(project: Path) -> None:
    status, printed = make(project, "run", PIP_STATUS="1")
    assert status == 2 and "flows.run" not in printed
    assert make(project, "run")[0] == 0


def test_settings_that_would_be_ignored_are_refused(project: Path) -> None:
    status, printed = make(project, "flow", "SET=train.epochs=3")
    assert status == 2 and "error: IMAGES, PRESET and SET are for 'make run'" in printed
    assert make(project, "flow") == (0, "-m\nflows.pipeline\n")


def test_an_environment_is_made_where_there_is_none(project: Path) -> None:
    new = project.parent / "python-new"
    shutil.move(project / ".venv/bin/python", new)
    status, printed = make(project, "run", f"PYTHON=no-such-python {new}")
    assert status == 0
    assert printed.startswith(f"making .venv with {new}\ninstalling requirements.txt into .venv")
    assert printed.endswith("-m\nflows.run\n--images=\n--set=\n--preset=\n")


@pytest.mark.parametrize(
    ("by_default", "settings", "wanted"),
    [
        ("true        # and more", "", True),
        ("true", "train.epochs=3 export.tflite=false", False),
        ("false", "", False),
        ("false", "export.tflite=true", True),
    ],
)
def test_the_converter_is_installed_where_the_run_wants_tflite(
    project: Path, by_default: str, settings: str, wanted: bool
) -> None:
    (project / "params.yaml").write_text(f"export:\n  parity_images: 5\n  tflite: {by_default}\n")
    new = project.parent / "python-new"
    shutil.copy(project / ".venv/bin/python", new)
    status, printed = make(project, "run", f"SET={settings}", f"PYTHON={new}")
    assert status == 0
    assert ("installing requirements-tflite.txt into .venv-tflite" in printed) is wanted
    assert (project / ".venv-tflite/.installed").exists() is wanted


def test_a_missing_or_old_python_is_named(project: Path) -> None:
    old = project / "python2"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    status, printed = make(project, "run", "VENV=another", "PYTHON=./python2 no-such-python")
    assert status == 2
    assert "error: Darkroom needs Python 3.11 or newer, and there is none as: ./python2 no-such-python." in printed
    assert "apt-get install python3" in printed


def test_help_lists_every_target(project: Path) -> None:
    printed = make(project, "help")[1]
    assert all(f"make {target} " in printed for target in ("run", "test", "flow", "schedule", "lint", "clean", "help"))
