"""The service has a lock of its own: a part of the line's, without what only training needs."""

import re
import subprocess
import sys

from tests.conftest import ROOT

# What makes the line large, and the service needs nothing of.
FOREIGN = {
    "torch",
    "torchvision",
    "timm",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "dvc",
    "prefect",
    "onnx",
    "matplotlib",
}


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE))


def test_its_lock_has_versions_of_the_lines() -> None:
    line, ours = pins("requirements.txt"), pins("requirements-serve.txt")
    assert ours and {name: version for name, version in ours.items() if line.get(name) != version} == {}
    assert {"scikit-learn" if name == "sklearn" else name for name in FOREIGN} & set(ours) == set()


def test_it_imports_nothing_that_its_lock_lacks() -> None:
    # With what is imported only for some images, and for heat maps.
    lazily = "darkroom.drawing.pictures, darkroom.inference.occlusion, darkroom.images.tiff, imagecodecs, pillow_heif"
    asked = f"import serving.__main__, {lazily}, sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "onnxruntime" in done.stdout.split()
    assert FOREIGN & set(done.stdout.split()) == set()
