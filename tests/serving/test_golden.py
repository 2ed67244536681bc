"""Golden vectors are what Python makes of pictures, and the Kotlin of the Android example makes the same of them."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darkroom.bundle.bundle import load_bundle
from darkroom.images.pixels import to_pixels
from serving.offline.golden import golden_vectors
from serving.offline.pictures import make_pictures
from tests.conftest import ROOT
from tests.support.tiny_bundle import make_bundle

APP = ROOT / "examples/android/app/src"


def array(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_they_are_what_python_makes_of_files_and_what_the_graph_answers(tmp_path: Path, channels: int) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "bundle", channels=channels))
    golden = golden_vectors(bundle)
    assert (golden["size"], golden["channels"], golden["resize"]) == (8, channels, "stretch")
    assert golden["classes"] == list(bundle.classes.names) and golden["threshold"] == 0.6
    for vector, file in zip(golden["vectors"], make_pictures(8), strict=True):
        pixels = array(vector["pixels"]).reshape(8, 8, channels)
        # Grey is made before the picture is resized, and rounded in both libraries.
        assert np.abs(pixels.astype(int) - bundle.pixels(file)).max() <= 1
        picture = array(vector["data"]).reshape(vector["height"], vector["width"], channels)
        assert np.array_equal(to_pixels(picture, 8, channels, "stretch"), pixels)
        np.testing.assert_allclose(vector["probabilities"], bundle.predict(pixels[None])[0], atol=1e-7)
    assert golden_vectors(bundle) == golden


def compiler(folder: Path) -> list[str]:
    """The Kotlin compiler: the machine's own, or as npm has it."""
    if not shutil.which("java"):
        pytest.skip("there is no Java on this machine")
    if found := shutil.which("kotlinc"):
        return [found]
    if not shutil.which("npm"):
        pytest.skip("there is neither kotlinc nor npm on this machine")
    packed = folder / "kotlin-compiler-2.4.20.tgz"
    command = ["npm", "pack", "kotlin-compiler@2.4.20", "--silent"]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("npm can't bring the Kotlin compiler")
    shutil.unpack_archive(packed, folder)
    return ["bash", str(folder / "package/bin/kotlinc")]


@pytest.mark.slow
def test_the_app_makes_the_same_pixels(tmp_path: Path) -> None:
    sources = [APP / "main/kotlin/darkroom/classify/Pixels.kt", APP / "test/kotlin/darkroom/classify/Golden.kt"]
    jar = tmp_path / "golden.jar"
    subprocess.run([*compiler(tmp_path), *map(str, sources), "-include-runtime", "-d", str(jar)], check=True)
    random, files = np.random.default_rng(0), []
    for resize in ("crop", "pad", "stretch"):
        for channels, size in ((1, 28), (3, 17)):
            vectors = []
            for height, width in ((40, 61), (9, 30), (56, 56), (28, 28), (1, 90), (200, 5)):
                coarse = random.integers(0, 256, (5, 6, channels), np.uint8)
                picture = np.asarray(
                    Image.fromarray(coarse.squeeze()).resize((width, height), Image.Resampling.BICUBIC)
                )
                pixels = to_pixels(picture.reshape(height, width, channels), size, channels, resize)
                encoded = {
                    name: base64.b64encode(each.tobytes()).decode()
                    for name, each in (("data", picture), ("pixels", pixels))
                }
                vectors.append({"width": width, "height": height, **encoded})
            files.append(tmp_path / f"{resize}-{channels}.json")
            content = {"size": size, "channels": channels, "resize": resize, "vectors": vectors}
            files[-1].write_text(json.dumps(content, indent=2))
    done = subprocess.run(
        ["java", "-cp", jar, "darkroom.classify.GoldenKt", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("6 pictures, largest difference") == 6
