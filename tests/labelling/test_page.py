"""The page of the queue in a browser: by the keyboard alone, no state violates axe, and nothing is asked of a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from darkroom.labelling.app import make_app
from darkroom.labels.queue_labels import read_queue_labels
from darkroom.runtime.paths import INBOX
from tests.support.label_queue import open_tiny_queue, png, store_samples
from tests.support.live import live

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
MANY = tuple(f"species {number:04}" for number in range(1000))


@pytest.fixture
def address(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    classes = getattr(request, "param", ("cat", "dog", "été"))
    store_samples(tmp_path, [png(seed, side=24) for seed in range(5)])
    queue, bundle = open_tiny_queue(tmp_path, classes)
    with live(make_app(queue, classes, bundle.preprocessing, "secret")) as found:
        yield f"{found}/#secret"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    opened, wrong = browser.new_page(), list[str]()
    opened.on("console", lambda said: wrong.append(said.text) if said.type in ("warning", "error") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith((address[:22], "blob:", "data:")) else wrong.append(asked.url),
    )
    opened.goto(address)
    yield opened
    opened.close()
    assert wrong == []


def labels(root: Path) -> list[str]:
    return [each.label for each in read_queue_labels(root / INBOX)]


def test_keys_answer_undo_and_skip(page: Page, tmp_path: Path) -> None:
    counts = page.locator("#counts")
    expect(counts).to_have_text("0 labelled, 5 to go")
    for key, text in (("1", "1 labelled, 4 to go"), ("n", "2 labelled, 3 to go"), ("3", "3 labelled, 2 to go")):
        page.keyboard.press(key)
        expect(counts).to_have_text(text)
    assert labels(tmp_path) == ["cat", "", "été"]
    expect(page.locator("#last")).to_contain_text("Before: été. The model ")
    page.keyboard.press("u")
    expect(counts).to_have_text("2 labelled, 3 to go")
    page.keyboard.press("9")  # no class has it
    page.keyboard.press("s")
    expect(counts).to_have_text("2 labelled, 2 to go, 1 skipped")
    page.get_by_label("Single keys answer").uncheck()
    page.keyboard.press("1")
    page.get_by_role("button", name="dog").press("Enter")
    expect(counts).to_have_text("3 labelled, 1 to go, 1 skipped")
    page.get_by_label("Single keys answer").check()
    page.keyboard.press("2")
    expect(page.locator("#title")).to_have_text("Nothing is left to label")
    page.get_by_role("button", name="Ask the skipped one again").click()
    expect(counts).to_have_text("4 labelled, 1 to go")
    page.keyboard.press("1")
    expect(page.locator("#done-text")).to_contain_text("Labelled in this queue: 5.")
    assert labels(tmp_path) == ["cat", "", "dog", "dog", "cat"]


@pytest.mark.slow
@pytest.mark.parametrize("address", [("0", "1", "2")], indirect=True)
def test_classes_that_are_digits_answer_with_themselves(page: Page, tmp_path: Path) -> None:
    expect(page.locator("#counts")).to_have_text("0 labelled, 5 to go")
    page.keyboard.press("0")
    expect(page.locator("#counts")).to_have_text("1 labelled, 4 to go")
    page.keyboard.press("2")
    expect(page.locator("#counts")).to_have_text("2 labelled, 3 to go")
    assert labels(tmp_path) == ["0", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("address", [MANY], indirect=True)
def test_a_class_of_many_is_searched_by_the_keyboard(page: Page, tmp_path: Path) -> None:
    field = page.get_by_role("combobox", name="Search a class")
    expect(field).to_be_focused()
    page.keyboard.type("0042")
    page.keyboard.press("Enter")
    expect(page.locator("#counts")).to_have_text("1 labelled, 4 to go")
    expect(field).to_have_value("")
    page.keyboard.type("species 001")
    expect(page.get_by_role("option")).to_have_count(9)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#counts")).to_have_text("2 labelled, 3 to go")
    page.keyboard.type("nothing of it")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.locator("#counts")).to_have_text("3 labelled, 2 to go")
    page.keyboard.press("/")
    expect(field).to_be_focused()
    assert labels(tmp_path) == ["species 0042", "species 0011", ""]


@pytest.mark.slow
@pytest.mark.parametrize("address", [("cat", "dog", "été"), MANY], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_state_of_the_page_violates_axe(browser: Browser, address: str, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.goto(address)
    expect(page.locator("#counts")).to_have_text("0 labelled, 5 to go")
    found = _violations(page, "asked")
    if page.get_by_role("combobox").is_visible():
        page.keyboard.type("species")
        found += _violations(page, "searched")
        page.keyboard.press("Escape")
    for left in range(4, -1, -1):
        page.keyboard.press("n")
        expect(page.locator("#counts")).to_have_text(f"{5 - left} labelled, {left} to go")
        if left == 4:
            found += _violations(page, "answered")
    found += _violations(page, "done")
    page.goto(address.replace("secret", "other"))
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("it ends in a token")
    found += _violations(page, "refused")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
    assert found == []


def _violations(page: Page, state: str) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{state}: {each['id']} at {[node['target'] for node in each['nodes']]}" for each in found]
