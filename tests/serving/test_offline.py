"""The page without a server: it opens files as Python does, answers as the graph does, and asks for nothing."""

import base64
import hashlib
import html
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from darkroom.bundle.bundle import load_bundle
from darkroom.bundle.reference_predictions import ReferencePredictions
from darkroom.images.pillow_decoder import UnreadableImage
from darkroom.images.pixels import read_pixels
from darkroom.runtime.errors import DarkroomError
from serving.offline import __main__ as command
from serving.offline import parity
from serving.offline.browser import EvaluatedImages, require_browser
from serving.offline.page import offline_page
from serving.offline.parity import browser_probabilities
from serving.offline.runtime import BrowserRuntime, require_runtime
from tests.conftest import ROOT
from tests.support.tiny_bundle import make_bundle

# Enough for what is not answered: the page is drawn, and says that its graph can't be opened.
NO_RUNTIME = BrowserRuntime(b"export const env = { wasm: {} };", b"")
OPEN = """async ([files, size, channels, resize]) => {
  const { decode } = await import("offline/decode.js");
  const { toPixels } = await import("offline/pixels.js");
  const found = [];
  for (const file of files) {
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    try {
      const picture = await decode(bytes, channels, 2 * size, "turbo");
      found.push(btoa(String.fromCharCode(...toPixels(picture, size, resize).data)));
    } catch (error) {
      found.push({ message: error.message });
    }
  }
  return found;
}"""


@pytest.fixture(scope="module")
def page_text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return offline_page(load_bundle(make_bundle(tmp_path_factory.mktemp("offline") / "bundle")), NO_RUNTIME)


@pytest.fixture(scope="module")
def opened(page_text: str, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page_text, encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    yield page
    page.close()


def clouds(height: int, width: int, channels: int = 3) -> Image.Image:
    coarse = np.random.default_rng(height).integers(0, 256, (5, 6, channels), np.uint8)
    return Image.fromarray(coarse.squeeze()).resize((width, height), Image.Resampling.BICUBIC)


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def turned(orientation: int, form: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(clouds(31, 45), form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))


def translucent() -> Image.Image:
    picture = clouds(40, 30).convert("RGBA")
    picture.putalpha(clouds(40, 30, 1))
    return picture


def changed(data: bytes, place: int) -> bytes:
    """With another byte at one place."""
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


def in_browser(page: Page, files: list[bytes], size: int, channels: int, resize: str) -> list[np.ndarray | str]:
    encoded = [base64.b64encode(data).decode() for data in files]
    found = page.evaluate(OPEN, [encoded, size, channels, resize])
    return [
        each["message"] if isinstance(each, dict) else np.frombuffer(base64.b64decode(each), np.uint8) for each in found
    ]


@pytest.mark.parametrize(("size", "channels", "resize"), [(16, 3, "crop"), (33, 1, "pad"), (64, 3, "stretch")])
def test_files_have_the_pixels_that_python_finds(opened: Page, size: int, channels: int, resize: str) -> None:
    """Within 1 of 255: averages that are halves fall to either side."""
    files = [turned(orientation, form) for orientation in range(1, 9) for form in ("PNG", "JPEG", "WEBP")]
    files += [saved(clouds(40, 30).convert(mode), "PNG") for mode in ("1", "L", "P", "LA", "RGB")]
    files += [saved(translucent(), "PNG"), saved(clouds(20, 50).convert("P"), "PNG", transparency=3)]
    files += [saved(clouds(40, 30), "BMP"), saved(clouds(12, 9).convert("L"), "JPEG"), saved(clouds(1, 70), "PNG")]
    for number, (data, found) in enumerate(zip(files, in_browser(opened, files, size, channels, resize), strict=True)):
        assert isinstance(found, np.ndarray), f"file {number}: {found}"
        expected = read_pixels(data, size, channels, resize, "turbo").ravel()
        # Grey of a colour JPEG is its luma channel in Python, and made of rounded RGB here.
        allowed = 2 if channels == 1 and data[:2] == b"\xff\xd8" else 1
        assert np.abs(found.astype(int) - expected).max() <= allowed, f"file {number}"


def test_a_large_jpeg_is_reduced_as_libjpeg_reduces_it(opened: Page) -> None:
    noisy = np.random.default_rng(0).normal(0, 12, (300, 410, 3))
    picture = Image.fromarray(np.clip(np.asarray(clouds(300, 410)) + noisy, 0, 255).astype(np.uint8))
    data = saved(picture, "JPEG", quality=90)
    (found,) = in_browser(opened, [data], 32, 3, "crop")
    assert isinstance(found, np.ndarray)
    expected = read_pixels(data, 32, 3, "crop", "turbo").ravel().astype(int)
    at_full_size = np.asarray(read_pixels(saved(picture, "PNG"), 32, 3, "crop", "turbo")).ravel()
    assert np.abs(found - expected).max() <= 2 < np.abs(at_full_size - expected).max()


def test_what_it_can_not_open_as_evaluated_is_refused_by_name(opened: Page) -> None:
    deep = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000)
    picture = clouds(40, 30)
    files = {
        saved(deep, "PNG"): "a PNG of 16 bits a value, for which this page has no rule: convert it to 8 bits",
        saved(picture, "TIFF"): "a TIFF: this page answers JPEG, PNG, WebP and BMP as evaluated, and nothing else",
        b"\0\0\0\x18ftypheic" + bytes(20): "HEIC or AVIF: this page answers",
        saved(picture.convert("CMYK"), "JPEG"): "a JPEG in CMYK, which browsers turn into other colours",
        saved(picture, "PNG")[:200]: "damaged: the file is cut short",
        saved(picture, "JPEG")[:300]: "damaged: the file is cut short",
        saved(picture, "JPEG")[:19]: "damaged: the file is cut short",
        saved(picture, "WEBP")[:-9]: "damaged: the file is cut short",
        saved(picture, "BMP")[:900]: "damaged: the file is cut short",
        changed(saved(picture, "PNG"), -40): "damaged: the browser can't decode it",
        b"": "the file is empty",
        b"no image": "not an image in a known format",
        saved(picture, "PNG")[:16] + (20_000).to_bytes(4, "big") * 2 + bytes(40): "20000 x 20000 pixels, more than",
    }
    for reason, found in zip(files.values(), in_browser(opened, list(files), 16, 3, "crop"), strict=True):
        assert isinstance(found, str) and found.startswith(reason)
    for data in list(files)[-3:]:
        with pytest.raises(UnreadableImage):
            read_pixels(data, 16, 3, "crop", "turbo")


def test_the_page_allows_no_connection_and_only_its_own_scripts(page_text: str) -> None:
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="(.*?)">', page_text)
    rules = dict(rule.split(" ", 1) for rule in html.unescape(policy).split("; "))
    assert (rules["default-src"], rules["connect-src"]) == ("'none'", "'none'")
    scripts = re.findall(r'<script type="(?:importmap|module)">(.*?)</script>', page_text)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in scripts]
    assert rules["script-src"].split() == [*hashes, "data:", "blob:", "'wasm-unsafe-eval'"]
    assert not re.findall(r'(?:src|href)="(?!#|docs)[^"]+"', page_text)


def test_a_graph_that_does_not_open_is_said_and_nothing_is_answered(opened: Page) -> None:
    opened.set_input_files("#files", {"name": "a.png", "mimeType": "image/png", "buffer": saved(clouds(9, 9), "PNG")})
    opened.wait_for_selector("#remark:not([hidden])")
    assert opened.inner_text("#remark").startswith("The graph can't be opened in this browser")
    assert opened.inner_text("#trouble").startswith("The graph can't be opened in this browser")


@pytest.mark.parametrize(("row", "difference", "passes"), [(0, 0.02, False), (1, 0.02, True), (1, 0.5, False)])
def test_a_page_that_answers_otherwise_is_named_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: int, difference: float, passes: bool
) -> None:
    """A JPEG may differ by more than 0.01, since browsers decode it not quite as libjpeg does; its label may not."""
    files = [saved(clouds(9, 9), "PNG"), saved(clouds(9, 9), "JPEG")]
    expected = np.array([[0.6, 0.3, 0.1]] * 2, np.float32)
    answers = expected.copy()
    answers[row] += np.array([-difference, difference, 0], np.float32)
    labels, pixels = np.zeros(2, np.int64), np.zeros((2, 8, 8, 1), np.uint8)
    reference = ReferencePredictions(2, ["a", "b"], [], pixels, labels, expected)
    monkeypatch.setattr(parity, "require_browser", lambda: "chromium")
    monkeypatch.setattr(parity, "require_runtime", lambda: tmp_path)
    monkeypatch.setattr(parity, "read_runtime", lambda archive: NO_RUNTIME)
    monkeypatch.setattr(parity, "load_reference", lambda *arguments: reference)
    monkeypatch.setattr(parity, "read_shards", lambda shards, places: iter(files))
    monkeypatch.setattr(parity, "browser_probabilities", lambda page, data, browser: answers[: len(list(data))])
    tested = EvaluatedImages(tmp_path, tmp_path, tmp_path, 2)
    bundle = make_bundle(tmp_path / "bundle")
    if passes:
        found = parity.check_page(bundle, "model.onnx", tested)
        assert (found["images"], found["label_agreement"], found["largest_difference"]) == (2, 1.0, 0.02)
    else:
        with pytest.raises(
            DarkroomError, match=rf"2 test images, and a probability differs by {difference}.* 0\.01 allowed"
        ):
            parity.check_page(bundle, "model.onnx", tested)


def test_a_missing_npm_and_another_archive_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DarkroomError, match=r"needs onnxruntime-web 1\.30\.0 in .*, and there is no npm: install npm"):
        require_runtime(tmp_path)
    (tmp_path / "onnxruntime-web-1.30.0.tgz").write_bytes(b"other")
    with pytest.raises(
        DarkroomError, match=r"is not onnxruntime-web 1\.30\.0 as it was published: its hash is sha512-"
    ):
        require_runtime(tmp_path)


def test_npm_that_fails_is_named_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(npm))
    with pytest.raises(
        DarkroomError, match=r"npm can't bring onnxruntime-web 1\.30\.0: npm error network; try again, or"
    ):
        require_runtime(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_it_is_written_without_what_only_training_needs() -> None:
    asked = "import serving.offline.__main__, sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"torch", "pandas", "pyarrow", "jinja2", "httpx", "sklearn"} & set(done.stdout.split()) == set()


@pytest.mark.slow
def test_every_test_image_is_answered_as_evaluated_from_a_file_without_a_request(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    if not shutil.which("npm") or not shutil.which("chromium"):
        pytest.skip("npm or Chromium is not installed: apt-get install npm chromium")
    command.write_page(shipped / "models/export", tmp_path / "page.html", "model.onnx")
    command.write_page(shipped / "models/export", tmp_path / "again.html", "model.onnx")
    assert (tmp_path / "page.html").read_bytes() == (tmp_path / "again.html").read_bytes()
    table = pq.read_table(shipped / "reports/evaluate/predictions.parquet")
    files = [(shipped / "images" / path).read_bytes() for path in table["path"].to_pylist()]
    # In a thread of its own, since this one leads the browser of other tests.
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(browser_probabilities, tmp_path / "page.html", files, require_browser())
    np.testing.assert_allclose(asked.result(), np.array(table["probabilities"].to_pylist()), atol=1e-5)
