"""Build the image of the service with a bundle in it: `make image`.

python -m deploy.image models/export --name registry.example/darkroom:1
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from darkroom.bundle.bundle import INDEX, REMEDY, SPEC, load_bundle
from darkroom.model.spec import load_spec
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.runtime.stage import user_errors

ROOT = Path(__file__).parent.parent
TARGETS = ("bundled", "service", "sagemaker")
# First podman, which needs no daemon.
TOOLS = ("podman", "docker")
PIP = Path("/etc/pip.conf")
# Where OpenSSL's own variable says that a machine has other certificates than the image.
CERTIFICATES = "SSL_CERT_FILE"


def labels(bundle: Path) -> dict[str, str]:
    """The arguments of the Containerfile that become labels.

    Args:
        bundle: that goes into the image; it is checked whole.

    Raises:
        DarkroomError: when the bundle is damaged.
    """
    load_bundle(bundle)
    spec = load_spec(bundle / SPEC, REMEDY)
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "REVISION": found.stdout.strip(),
        "BUNDLE_HASH": file_hash(bundle / INDEX),
        "DATA_VERSION": spec.data_version,
        "CODE_VERSION": spec.code_version,
    }


def build_command(
    tool: str, name: str, target: str, bundle: Path | None, bases: Mapping[str, str], environment: Mapping[str, str]
) -> list[str]:
    """The command that builds an image.

    Args:
        tool: `podman` or `docker`.
        name: of the image, with its tag.
        target: one of `TARGETS`.
        bundle: that goes into the image; None for the targets that have it mounted.
        bases: build arguments BASE and BUILD_BASE, where others than the public ones are wanted.
        environment: variables of this process.

    Raises:
        DarkroomError: when the bundle is damaged.
    """
    command = [tool, "build", "--file", str(ROOT / "deploy" / "Containerfile"), "--target", target, "--tag", name]
    if tool == "podman":
        # The form of the Open Container Initiative has no place for a health check.
        command += ["--format", "docker"]
    arguments = dict(bases)
    if bundle:
        arguments |= labels(bundle)
        command += ["--build-context", f"bundle={bundle.resolve()}"]
    command += [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
    secrets = {"pip": PIP, "certificates": Path(environment.get(CERTIFICATES) or "/nonexistent")}
    command += [
        part for key, path in secrets.items() if path.is_file() for part in ("--secret", f"id={key},src={path}")
    ]
    return [*command, str(ROOT)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.image", description="Build the image of the service.")
    parser.add_argument("bundle", type=Path, nargs="?", help="the folder that the export stage wrote: models/export")
    parser.add_argument("--name", default="", help="name and tag of the image; default darkroom")
    parser.add_argument("--target", choices=TARGETS, default=TARGETS[0], help="service and sagemaker take no bundle")
    parser.add_argument("--base", default="", help="image to run on: Python 3.11; by digest in production")
    parser.add_argument("--build-base", default="", help="image to build in: Python 3.11, venv and binutils")
    given = parser.parse_args()
    with user_errors():
        tool = next(filter(shutil.which, TOOLS), None)
        if tool is None:
            raise DarkroomError("an image needs podman or docker: on Debian or Ubuntu, apt-get install podman buildah")
        if (given.target == TARGETS[0]) != (given.bundle is not None):
            raise DarkroomError(
                f"the target {TARGETS[0]}, and no other, takes a bundle: {', '.join(TARGETS[1:])} have it mounted"
            )
        bases = {key: value for key, value in (("BASE", given.base), ("BUILD_BASE", given.build_base)) if value}
        command = build_command(tool, given.name or "darkroom", given.target, given.bundle, bases, os.environ)
        print(shlex.join(command), flush=True)
        sys.exit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
