"""onnxruntime-web, which runs the graph in a browser: brought by npm at first use, with the hash that was pinned here."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
# As package-lock.json would have it: SHA-512 of the archive.
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# The build for the processor alone, with its loader inside; and its WebAssembly.
MODULE, WASM = "package/dist/ort.wasm.bundle.min.mjs", "package/dist/ort-wasm-simd-threaded.wasm"
CACHE = Path(".darkroom/npm")
REMEDY = "install npm (on Debian or Ubuntu: apt-get install npm), or copy the archive there from a machine that has it"


@dataclass(frozen=True)
class BrowserRuntime:
    """Attributes:
    module: JavaScript, a module.
    wasm: WebAssembly.
    """

    module: bytes
    wasm: bytes


def require_runtime(cache: Path = CACHE) -> Path:
    """The archive of the runtime, brought by npm unless it is there already.

    Args:
        cache: the folder for it.

    Raises:
        DarkroomError: where npm is missing or fails, or the archive has another hash than the pinned one.
    """
    archive = cache / f"{PACKAGE}-{VERSION}.tgz"
    if not archive.is_file():
        _pack(archive)
    found = f"sha512-{base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()}"
    if found != INTEGRITY:
        raise DarkroomError(
            f"{archive} is not {PACKAGE} {VERSION} as it was published: its hash is {found}, and {INTEGRITY} is pinned; "
            "remove it and try again"
        )
    return archive


def read_runtime(archive: Path) -> BrowserRuntime:
    """Read the two files of the runtime that a page needs.

    Args:
        archive: as `require_runtime` gives it.
    """
    with tarfile.open(archive) as opened:
        module, wasm = (opened.extractfile(name) for name in (MODULE, WASM))
        assert module and wasm  # of an archive with this hash
        return BrowserRuntime(module.read(), wasm.read())


def _pack(archive: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise DarkroomError(
            f"a page without a server needs {PACKAGE} {VERSION} in {archive}, and there is no npm: {REMEDY}"
        )
    print(f"offline: npm brings {PACKAGE} {VERSION} (33 MB, once)", flush=True)
    with TemporaryDirectory() as name:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", name]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, cwd=name)
        packed = Path(name) / archive.name
        if done.returncode or not packed.is_file():
            lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["it gave no reason"]
            raise DarkroomError(
                f"npm can't bring {PACKAGE} {VERSION}: {lines[0][:300]}; try again, or copy it to {archive}"
            )
        with whole_file(archive) as partial:
            shutil.copyfile(packed, partial)
