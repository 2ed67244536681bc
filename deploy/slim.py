"""Take out of a folder of installed packages what the service never uses; runs while the image is built, on Python alone.

python3 slim.py /opt/darkroom
"""

import importlib
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

# What is removed, and why it may be: the imports below, and the tests of the image, fail where it may not.
UNUSED = {
    "onnxruntime/capi/libonnxruntime.so*": "for programs in C: the Python module has the same library linked into it",
    "onnxruntime/transformers": "works on graphs before they ship",
    "onnxruntime/quantization": "works on graphs before they ship",
    "onnxruntime/tools": "works on graphs before they ship",
    "onnxruntime/datasets": "examples",
    "onnxruntime/backend": "for the tests of ONNX",
    "numpy/**/tests": "its own tests",
    "bin": "commands, which nobody types in a container",
}
# They come with debug symbols, 49 MB. Other packages must not be stripped: their ELF files were patched, and numpy's OpenBLAS
# no longer loads then ("ELF load command address/offset not page-aligned").
STRIPPED = ("imagecodecs/*.so", "uvloop/*.so")
IMPORTS = ("cv2", "numpy.testing", "onnxruntime", "PIL.Image", "pillow_heif", "simplejpeg", "tifffile", "uvloop")


def remove_unused(packages: Path) -> None:
    """Remove what `UNUSED` names.

    Args:
        packages: folder that pip installed into.

    Raises:
        SystemExit: when there is nothing of a name, since another version of the package then needs another look.
    """
    for pattern in UNUSED:
        paths = sorted(packages.glob(pattern))
        if not paths:
            sys.exit(f"error: {packages} has no {pattern}: look again at what of that package the service uses")
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def strip_symbols(packages: Path) -> None:
    """Strip the modules that `STRIPPED` names of their debug symbols, by binutils."""
    for pattern in STRIPPED:
        subprocess.run(["strip", "--strip-unneeded", *sorted(packages.glob(pattern))], check=True)


def import_all(packages: Path) -> None:
    """Import what has native code: every codec of imagecodecs, and what else the service decodes and predicts with."""
    sys.path.insert(0, str(packages))
    for name in IMPORTS:
        importlib.import_module(name)
    codecs = importlib.import_module("imagecodecs")
    for each in pkgutil.iter_modules(codecs.__path__):
        if each.name.startswith("_") and each.name != "__main__":
            importlib.import_module(f"imagecodecs.{each.name}")


def megabytes(folder: Path) -> float:
    """Size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    packages = Path(sys.argv[1])
    before = megabytes(packages)
    remove_unused(packages)
    strip_symbols(packages)
    import_all(packages)
    print(f"{packages}: {before:.0f} MB, now {megabytes(packages):.0f}")
    parts = sorted(((megabytes(path), path.name) for path in packages.iterdir() if path.is_dir()), reverse=True)
    print("\n".join(f"{size:6.0f} MB {name}" for size, name in parts[:10]))


if __name__ == "__main__":
    main()
