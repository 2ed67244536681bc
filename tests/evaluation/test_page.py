"""The page as a person meets it: every kind of data set, in a real browser, in light, dark and print, wide and narrow."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from darkroom.evaluation.confusion import MATRIX_CLASSES, confused_pairs
from darkroom.evaluation.error_analysis import ErrorAnalysis, RobustnessCurve
from darkroom.evaluation.evaluation import evaluate
from darkroom.evaluation.label_errors import Suspect
from darkroom.evaluation.metrics_json import write_evaluation
from darkroom.evaluation.page import LISTED, evaluation_page
from darkroom.evaluation.slices import Slice
from darkroom.evaluation.tables import write_predictions
from darkroom.inference.corruptions import CORRUPTIONS, damaged_copies
from darkroom.inference.explained import Explained, choose_images
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.runtime.files import write_json
from darkroom.statistics.temperature import Calibration, softmax
from darkroom.training.curves import Epoch
from darkroom.training.record import Example, TrainingRecord, write_record
from tests.support.packed import write_images

Scheme = Literal["light", "dark", "print"]

DIGITS = tuple("0123456789")
ODD = ("<script>alert(1)</script> & 'co'", 'an "endless" name, ' * 20, "違う🐈\u202e", "x" * 120)

# For each text its contrast with the ground behind it; WCAG 2.2, success criterion 1.4.3, asks for 4.5.
LOW_CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = rgba(getComputedStyle(element).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const low = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, style = getComputedStyle(element);
    if (!texts.currentNode.data.trim() || element.closest('title')) continue;
    const [a, b] = [light(rgba(element.closest('svg') ? style.fill : style.color)), light(ground(element))];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) low.push(`${texts.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
  }
  return low;
}"""


def make_page(
    names: tuple[str, ...],
    images: int,
    gap: float,
    size: int = 8,
    channels: int = 1,
    epochs: int = 5,
    gallery: int = 24,
    found: bool = True,
) -> str:
    """A page on random images; the higher `gap`, the fewer mistakes, and below 0 most are mistakes.

    With `found` there are weak slices, suspects, damage and a changed setting; without there are none.
    """
    with TemporaryDirectory() as folder:
        root = Path(folder)
        _write_inputs(root, names, images, gap, size, channels, epochs, gallery, found)
        return evaluation_page(
            evaluated=root / "evaluate",
            predicted=root / "predict",
            arrays=root / "arrays",
            excluded=root / "excluded.json",
            model=root / "model",
            training=root / "train",
        )


def _write_inputs(
    root: Path,
    names: tuple[str, ...],
    images: int,
    gap: float,
    size: int,
    channels: int,
    epochs: int,
    gallery: int,
    found: bool,
) -> None:
    for name in (
        "evaluate",
        "predict",
        "model",
        "train",
        *(f"arrays/{split}" for split in ("train", "validation", "test")),
    ):
        (root / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(names), images)
    logits = rng.normal(size=(images, len(names))).astype(np.float32)
    logits[np.arange(images), labels] += gap
    pixels = rng.integers(0, 256, (images, size, size, channels), dtype=np.uint8)
    ids = [f"{k:016x}" for k in range(images)]
    paths = [f"{names[label][:60]}/{k}.png" for k, label in enumerate(labels)]
    for split in ("train", "validation", "test"):
        np.save(root / "arrays" / split / "labels.npy", labels)
        np.save(root / "arrays" / split / "ids.npy", np.array(ids, "S16"))
        write_images(root / "arrays" / split, pixels)
    write_json(root / "arrays/stats.json", {"images": {"train": 900, "validation": 100, "test": images}})
    spec = ModelSpec(
        network="simple_cnn",
        settings={"filters": 32, "depth": 2},
        weights="none",
        classes=ClassList(names),
        preprocessing=Preprocessing(size, channels, "crop", "turbo", (0.5,) * channels, (0.25,) * channels),
        epoch=max(1, epochs - 1),
        precision="float32",
        seed=0,
        data_version="0123456789ab",
        code_version="ba9876543210",
    )
    spec.save(root / "model/model.json")
    history = [
        Epoch(k, 1 / k, 1 - 1 / (k + 1), 1 / (epochs + 1 - k), 1 - 1 / (k + 1), 0.1) for k in range(1, epochs + 1)
    ]
    record = TrainingRecord(history, history[spec.epoch - 1], [], [Example(names[0], pixels[0], [])])
    write_record(root / "train", record)
    calibration = Calibration(0.4, 0.8 if found else None, 0.98, 0.7, 0.985, 0.97, 0.99, 100)
    evaluation = evaluate(logits, labels, names, calibration, (0.3, 0.5), 0.95)
    provenance = {"data_version": "0123456789ab", "code_version": "fedcba987654"}
    provenance |= {"training_code_version": "ba9876543210", "class_hash": spec.classes.hash}
    weak = Slice(
        "brightness", f"{names[0]}, brightness below 0.21", names[0], 5, 0.2, 0.1, 0.4, 0.9, 0.0001, 0.003, np.arange(5)
    )
    splits = ("train", "validation", "train")
    suspects = [Suspect(ids[k], paths[k], split, names[0], names[1], 0.05 * k) for k, split in enumerate(splits)]
    worse = tuple(0.9 - 0.1 * k for k in range(6))
    texts = ("as it is", *(f"step {k}" for k in range(5)))
    ends = tuple(value - 0.05 for value in worse), tuple(value + 0.05 for value in worse)
    damage = [RobustnessCurve(kind.name, tuple(range(6)), texts, worse, *ends) for kind in CORRUPTIONS]
    errors = ErrorAnalysis(
        facts=["brightness", "sharpness"],
        slices=[weak] if found else [],
        slice_mistakes=[np.flatnonzero(logits.argmax(axis=1) != labels)[:5].tolist()] if found else [],
        suspects=suspects if found else [],
        robustness=damage if found else [],
        damaged_images=images if found else 0,
        damaged_precision="bfloat16",
    )
    settings: list[dict[str, Any]] = [
        {"name": "train.unfreeze", "value": [2, 4], "shipped": []},
        {"name": "split.folds", "value": 5, "shipped": None},
    ]
    write_evaluation(root / "evaluate", evaluation, errors, "grad-cam", provenance, settings if found else [])
    probabilities = softmax(logits, calibration.temperature)
    write_predictions(root / "evaluate/predictions.parquet", ids, paths, labels, probabilities, names)
    reason = "copies, or others of the group, are in the source's own test split"
    copy = {"label": names[0], "reason": reason, "beside": paths[0], "beside_split": "test"}
    copies = [copy | {"path": f"train/copy{k}.jpg"} for k in range(LISTED + 1 if found else 0)]
    write_json(root / "excluded.json", copies)
    choice = choose_images(logits, labels, ids, gallery)
    heat = {row: rng.random((size, size), dtype=np.float32) for row in choice.rows()}
    Explained("grad-cam", "Where the network looks.", gallery, choice, heat, damaged_copies(pixels[0], ids[0])).save(
        root / "predict"
    )


def opened(browser: Browser, text: str, folder: Path, width: int, scheme: Scheme) -> tuple[Page, list[str]]:
    """The page in a browser without a network, and everything that it complained of or asked for."""
    (folder / "report.html").write_text(text, encoding="utf-8")
    address = (folder / "report.html").as_uri()
    page = browser.new_context(offline=True, viewport={"width": width, "height": 800}).new_page()
    if scheme == "print":
        page.emulate_media(media="print", color_scheme="dark")
    else:
        page.emulate_media(color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else complaints.append(asked.url))
    page.goto(address)
    return page, complaints


KINDS: dict[str, dict[str, Any]] = {
    "ten classes": {"names": DIGITS, "images": 1000, "gap": 2.5},
    "two classes, colour photographs": {
        "names": ("cat", "dog"),
        "images": 60,
        "gap": 1,
        "size": 96,
        "channels": 3,
    },
    "odd names": {"names": ODD, "images": 200, "gap": 0.5, "channels": 3},
    "mostly mistakes": {"names": ("a", "b", "c"), "images": 300, "gap": -2},
    "no mistakes": {"names": DIGITS, "images": 100, "gap": 40, "epochs": 1, "found": False},
    "thirty classes": {"names": tuple(f"kind {k}" for k in range(MATRIX_CLASSES)), "images": 600, "gap": 2},
    "a thousand classes": {
        "names": tuple(f"kind {k}" for k in range(1000)),
        "images": 1500,
        "gap": 3,
        "epochs": 100,
    },
}


@cache
def report(kind: str) -> str:
    return make_page(**KINDS[kind])


@pytest.mark.parametrize(
    ("kind", "width", "scheme"),
    [
        *(
            ("ten classes", width, scheme)
            for width, scheme in ((1200, "light"), (1200, "dark"), (390, "dark"), (700, "print"))
        ),
        *(("odd names", width, scheme) for width, scheme in ((1200, "dark"), (390, "light"), (700, "print"))),
        ("two classes, colour photographs", 390, "dark"),
        ("mostly mistakes", 700, "print"),
        ("no mistakes", 390, "light"),
        ("thirty classes", 1200, "light"),
        ("thirty classes", 700, "print"),
        ("a thousand classes", 390, "light"),
    ],
)
def test_the_page_is_whole_and_legible(browser: Browser, tmp_path: Path, kind: str, width: int, scheme: Scheme) -> None:
    page, complaints = opened(browser, report(kind), tmp_path, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.alt && image.complete && image.naturalWidth)")
    assert page.evaluate(
        "[...document.querySelectorAll('svg:not([aria-hidden])')].every(svg => svg.getAttribute('aria-label'))"
    )
    assert page.evaluate(LOW_CONTRAST) == []
    assert complaints == []
    page.context.close()


def test_the_keyboard_reaches_every_part(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, report("two classes, colour photographs"), tmp_path, 390, "light")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    reached = []
    for _step in range(45):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.tagName")
        )
    tables = {"Confusion matrix", "Most frequent mistakes", "Classes, the weakest F1 first", "Areas under the curves"}
    assert {"SUMMARY", "Weak slices", "Abstention"} | tables <= set(reached)
    page.context.close()


def test_a_cell_of_the_matrix_shows_its_images_to_the_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    page, complaints = opened(browser, report("two classes, colour photographs"), tmp_path, 1200, "light")
    cells = page.locator(".cell")
    assert cells.count() == 4 and not any(cells.nth(k).is_visible() for k in range(4))
    page.locator('.matrix a[href="#cell-0-1"]').focus()
    page.keyboard.press("Enter")
    shown = page.locator("#cell-0-1")
    assert shown.is_visible() and "cat predicted as dog" in shown.inner_text()
    alts = shown.locator("img").evaluate_all("images => images.map(image => image.alt)")
    assert alts and all(alt.startswith("cat/") and alt.endswith(": cat, predicted as dog") for alt in alts)
    assert int(page.locator('.matrix a[href="#cell-0-1"]').inner_text().split()[0]) >= len(alts)
    assert sum(cells.nth(k).is_visible() for k in range(4)) == 1 and complaints == []
    page.context.close()


def test_what_was_found_is_shown() -> None:
    page = report("ten classes")
    for text in (
        "0, brightness below 0.21",
        "p = 0.003",
        "perhaps 1",
        "train.unfreeze",
        "2, 4",
        "step 3",
        "1 kind</a>",
        '<a href="#excluded">21 images</a> are in none of the splits.',
        "21 since copies, or others of the group, are in the source&#39;s own test split",
        "100 validation, 1,000 test; 21 excluded",
        "copy19.jpg",
    ):
        assert text in page or text.replace("</a>", " of images</a>") in page, text
    assert "copy20.jpg" not in page and page.count("excluded.json</code>; the first 20.") == 1
    nothing = report("no mistakes")
    assert "excluded" not in nothing
    for text in (
        "It always answers",
        "None has more mistakes than chance explains",
        "stands out",
        "Not measured",
        "as shipped",
    ):
        assert text in nothing, text


def test_equal_results_give_equal_bytes() -> None:
    assert make_page(DIGITS, 1000, 2.5) == report("ten classes")


def test_names_are_shown_and_never_run() -> None:
    assert "<script" not in report("odd names") and "&lt;script&gt;alert(1)" in report("odd names")


def test_the_headline_has_the_accuracy_and_its_interval() -> None:
    page = report("no mistakes")
    assert "<strong>100%</strong> of 100 test images are predicted correctly." in page
    assert "95% interval 96.3% to 100%" in page and "not a single mistake" in page


def test_the_gallery_shows_the_most_confident_mistakes_first_and_no_more_than_asked() -> None:
    shown = make_page(("a", "b", "c"), 300, 0.0, gallery=7)
    gallery = shown[shown.index('id="mistakes"') : shown.index('id="least-confident"')]
    assert gallery.count("<img") == 14
    confidences = [line.split("% confident")[0].rsplit(">", 1)[-1] for line in gallery.splitlines() if "% conf" in line]
    numbers = [100.0 if "over" in text else float(text) for text in confidences]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == 7
    assert "switched off" in make_page(("a", "b", "c"), 300, 0.0, gallery=0)


def test_the_matrix_gives_way_to_its_largest_mistakes() -> None:
    assert 'class="matrix' in report("thirty classes")
    assert 'class="matrix' not in report("a thousand classes")
    assert "The other 970 classes" in report("a thousand classes")


def test_pages_stay_small() -> None:
    # Noise is the worst for every encoding of pictures: real ones take a third.
    assert len(make_page(DIGITS, 10_000, 2.5, size=28).encode()) < 4_000_000
    assert len(make_page(DIGITS, 600, 1.0, size=224, channels=3).encode()) < 8_000_000
    assert len(report("a thousand classes").encode()) < 2_000_000


def test_confused_pairs_are_the_largest_cells_beside_the_diagonal() -> None:
    counts = np.array([[9, 3, 0], [1, 5, 3], [0, 0, 2]])
    assert confused_pairs(counts, 9) == [(0, 1), (1, 2), (1, 0)]
    assert confused_pairs(counts, 2) == [(0, 1), (1, 2)]
