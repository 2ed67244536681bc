"""The software that a bundle needs, and that made it, as a list in CycloneDX's form (ECMA-424)."""

import platform
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.requirements import Requirement

from darkroom.model.spec import ModelSpec
from darkroom.runtime.files import write_json

# What `darkroom.predict` imports, and what only trained, exported and checked the model.
PREDICTING = ("imagecodecs", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "pillow-heif", "psutil", "pydantic",
              "simplejpeg", "tifffile", "tqdm")  # fmt: skip
MAKING = ("onnx", "onnxscript", "pyarrow", "safetensors", "scikit-learn", "scipy", "timm", "torch")


def write_software(path: Path, spec: ModelSpec) -> None:
    """Write the list: every package that is installed for those above, with version and licence.

    A package that predicting needs has the scope `required`, one of the making alone `excluded`. There is no time and no
    serial number in it: the same installation gives the same bytes.

    Args:
        path: the file to write, `software.json`.
        spec: of the model.
    """
    needed, made = closure(PREDICTING), closure(MAKING)
    packages = needed | made
    python = {"type": "platform", "bom-ref": "python", "name": "Python", "version": platform.python_version()}
    model = {"type": "machine-learning-model", "bom-ref": "model", "name": spec.network, "version": spec.data_version}
    components = [_component(packages[name], "required" if name in needed else "excluded") for name in sorted(packages)]
    write_json(
        path,
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"component": model},
            "components": [python, *components],
            "dependencies": [
                {"ref": "model", "dependsOn": ["python", *sorted({_purl(distribution(name)) for name in PREDICTING})]},
                *(
                    {
                        "ref": _purl(packages[name]),
                        "dependsOn": sorted(_purl(packages[other]) for other in _requires(packages[name])),
                    }
                    for name in sorted(packages)
                ),
            ],
        },
    )


def closure(names: tuple[str, ...]) -> dict[str, Distribution]:
    """The installed packages among these and all that they require, directly or not, by their normal names.

    Raises:
        PackageNotFoundError: when one of `names` is not installed.
    """
    found: dict[str, Distribution] = {}
    waiting = [_normal(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = distribution(name)
            waiting += _requires(found[name])
    return found


def _requires(package: Distribution) -> list[str]:
    """The packages that one requires here and that are installed; extras are not required."""
    requirements = [Requirement(line) for line in package.requires or []]
    names = [_normal(one.name) for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
    return sorted({name for name in names if _installed(name)})


def _installed(name: str) -> bool:
    """A CPU build of torch names packages for GPUs that its users do without."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _component(package: Distribution, scope: str) -> dict[str, Any]:
    name = _normal(package.name)
    purl = _purl(package)
    listed = {"type": "library", "bom-ref": purl, "name": name, "version": package.version, "scope": scope}
    return listed | _licence(package) | {"purl": purl}


def _licence(package: Distribution) -> dict[str, Any]:
    """As the package states it: an SPDX expression, or else its classifiers, or else one short line."""
    metadata = package.metadata
    if expressions := metadata.get_all("License-Expression", []):
        return {"licenses": [{"expression": expressions[0]}]}
    classifiers = [
        line.split(" :: ")[-1] for line in metadata.get_all("Classifier", []) if line.startswith("License :: ")
    ]
    # Some put the whole text of the licence there.
    lines = [line for line in metadata.get_all("License", []) if line and len(line.splitlines()) == 1]
    names = classifiers or lines
    return {"licenses": [{"license": {"name": name}} for name in names]} if names else {}


def _purl(package: Distribution) -> str:
    return f"pkg:pypi/{_normal(package.name)}@{quote(package.version, safe='.')}"


def _normal(name: str) -> str:
    """As PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()
