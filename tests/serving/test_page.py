"""The page in a real browser, in front of a real service."""

import csv
import hashlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from darkroom.images.manifest import read_manifest
from serving.app import make_app
from serving.service import Service
from tests.conftest import ingest_source
from tests.support.live import live

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


class Watched:
    """A page, and what it did that it should not.

    Attributes:
        page: of the browser.
        messages: of the console, warnings and errors.
        elsewhere: addresses that it asked outside of the service.
        asked: paths that it asked of the service, in order.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.messages: list[str] = []
        self.elsewhere: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda said: self.messages.append(said.text) if said.type in ("warning", "error") else None)
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if url.startswith(self.address):
            self.asked.append(url.removeprefix(self.address))
        elif not url.startswith("blob:"):
            self.elsewhere.append(url)

    def add(self, *files: Path | dict[str, Any]) -> None:
        self.page.set_input_files("#files", list(files))

    def wait(self) -> None:
        """Until every image has its answer."""
        expect(self.page.locator("#stop")).to_be_hidden()


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inbox")


@pytest.fixture(scope="module")
def address(shipped: Path, inbox: Path) -> Iterator[str]:
    service = Service(shipped / "models/export")
    service.take_corrections(inbox, images=100, size=1 << 20)
    with live(make_app(service)) as found:
        yield found
    service.close()


@pytest.fixture
def watched(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Watched]:
    page = browser.new_page(**getattr(request, "param", {}))
    found = Watched(page, address)
    page.goto(address)
    expect(page.locator("#class-list li")).to_have_count(3)
    yield found
    page.close()
    assert found.elsewhere == []


@pytest.fixture(scope="module")
def pictures(shipped: Path) -> list[Path]:
    return sorted((shipped / "images").rglob("*.png"))[::20]


@pytest.fixture(scope="module")
def damaged(pictures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("damaged") / "cut short.png"
    file.write_bytes(pictures[0].read_bytes()[:90])
    return file


def shown(page: Page) -> dict[str, float]:
    """The probabilities that the page shows, by class."""
    rows = page.locator("#bars tbody tr").all()
    return {row.locator("th").inner_text(): float(row.locator("data").get_attribute("value") or "nan") for row in rows}


def test_the_page_shows_what_the_service_answers(watched: Watched, pictures: list[Path]) -> None:
    page = watched.page
    watched.add(*pictures)
    watched.wait()
    frames = page.locator("#sheet button")
    assert frames.count() == len(pictures)
    for number, picture in enumerate(pictures):
        answer = httpx.post(f"{watched.address}/v1/predict", content=picture.read_bytes()).json()
        frames.nth(number).click()
        assert page.locator("#file-name").inner_text() == picture.name
        assert shown(page) == answer["probabilities"]
        assert list(shown(page)) == sorted(answer["probabilities"], key=lambda label: -answer["probabilities"][label])
        headline = page.locator("#answer").inner_text()
        assert headline == "Not sure" if answer["abstains"] else headline.startswith(answer["label"] + " ")
        assert ("not sure" in frames.nth(number).inner_text()) == answer["abstains"]
        assert answer["label"] in frames.nth(number).inner_text()
    assert watched.messages == []
    assert {path.split("/")[1] for path in watched.asked} == {"", "page", "v1"}


def test_an_unreadable_file_has_its_reason_and_the_others_their_answers(
    watched: Watched, pictures: list[Path], damaged: Path
) -> None:
    watched.add(damaged, *pictures[:2])
    watched.wait()
    page = watched.page
    reason = httpx.post(f"{watched.address}/v1/predict", content=damaged.read_bytes()).json()["detail"]
    assert page.locator("#answer").inner_text() == "No answer"
    assert page.locator("#remark").inner_text() == reason
    assert "without an answer" in page.locator("#counts").inner_text()
    # Another attempt would find the same file.
    expect(page.locator("#again")).to_be_hidden()
    page.locator("#next").click()
    assert page.locator("#answer").inner_text() != "No answer"
    assert watched.messages == []


@pytest.mark.slow
def test_a_busy_service_is_given_the_time_that_it_asks_for(watched: Watched, pictures: list[Path]) -> None:
    page = watched.page
    refused: list[str] = []

    def refuse(route: Route) -> None:
        if len(refused) < 3:
            refused.append(route.request.url)
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"detail": "the queue is full"})
        else:
            route.continue_()

    page.route("**/v1/predict", refuse)
    watched.add(*pictures[:6])
    expect(page.locator("#busy")).to_have_text("The service is busy. It goes on in 1 second.")
    asked = len(watched.asked)
    page.wait_for_timeout(500)
    assert len(watched.asked) == asked <= 4 + watched.asked.index("/v1/predict"), "nobody asks during the pause"
    watched.wait()
    expect(page.locator("#busy")).to_be_hidden()
    assert "without an answer" not in page.locator("#counts").inner_text()
    assert len([path for path in watched.asked if path == "/v1/predict"]) == 6 + 3


def test_what_others_named_is_text(watched: Watched, pictures: list[Path]) -> None:
    page = watched.page
    label = "<b onclick=alert(1)>été</b> \u202edlo"
    answer = {
        "label": label,
        "confidence": 1.0,
        "abstains": True,
        "threshold": 1.0,
        "probabilities": {label: 1.0, "b": 0},
    }
    page.route("**/v1/predict", lambda route: route.fulfill(json=[answer]))
    name = "<img src=x onerror=alert(1)>\u202egnp.png"
    watched.add({"name": name, "mimeType": "image/png", "buffer": pictures[0].read_bytes()})
    watched.wait()
    assert page.locator("#file-name").inner_text() == name.replace("\u202e", "\\u202e")
    assert page.locator("#bars th").nth(2).inner_text() == label.replace("\u202e", "\\u202e")
    assert page.locator("b, img[src=x]").count() == 0
    assert watched.messages == []


@pytest.mark.slow
def test_where_a_key_is_needed_it_is_asked_for_once(watched: Watched, pictures: list[Path]) -> None:
    page = watched.page

    def guard(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer a key":
            route.continue_()
        else:
            route.fulfill(status=401, json={"detail": "an API key is needed"})

    page.route("**/v1/**", guard)
    watched.add(*pictures[:5])
    dialog = page.get_by_role("dialog", name="This service needs an API key")
    expect(dialog).to_contain_text("an API key is needed")
    dialog.get_by_label("API key").fill("a key")
    page.keyboard.press("Enter")
    watched.wait()
    assert page.locator("#counts").inner_text().startswith("5 images: ")
    assert "without" not in page.locator("#counts").inner_text()
    # Whoever has none gets their page back, with the reason.
    page.evaluate("sessionStorage.clear()")
    watched.add(pictures[0])
    dialog.get_by_role("button", name="Cancel").click()
    watched.wait()
    assert page.locator("#remark").inner_text() == "an API key is needed"


@pytest.mark.slow
def test_a_correction_arrives_in_the_data_of_the_next_run(
    watched: Watched, pictures: list[Path], inbox: Path, tmp_path: Path
) -> None:
    page = watched.page
    send = page.get_by_role("button", name="Send the correction")
    sent = {}
    for number, (picture, label) in enumerate(zip(pictures[:2], ("zero", "été"), strict=True)):
        watched.add(picture)
        watched.wait()
        page.get_by_text("This is wrong").click()
        wrong = page.locator("#answer bdi").inner_text()
        choice = page.get_by_label("The correct class")
        assert wrong != label and choice.locator(f"option[value={wrong}]").is_disabled()
        choice.select_option(label)
        # The reviewer's name stays from image to image; the reason is the image's own.
        assert page.get_by_label("Your name").input_value() == ("Ann" if number else "")
        page.get_by_label("Your name").fill("Ann")
        assert page.get_by_label("What shows it").input_value() == ""
        send.click()
        assert page.locator("#corrected").is_hidden(), "a reason is needed"
        page.get_by_label("What shows it").fill("it is round")
        send.click()
        expect(page.locator("#corrected")).to_have_text(f"Sent: {label}. Thank you; somebody will review it.")
        sent[hashlib.sha256(picture.read_bytes()).hexdigest()] = label
    with (inbox / "label_fixes.csv").open(encoding="utf-8", newline="") as file:
        fixes = [row for row in csv.DictReader(file) if row["reason"] == "it is round"]
    assert [row["reviewer"] for row in fixes] == ["Ann", "Ann"]
    rows = read_manifest(ingest_source("table", inbox / "table.csv", tmp_path)).to_pylist()
    assert {row["sha256"]: row["label"] for row in rows if row["sha256"] in sent} == sent
    assert watched.messages == []


@pytest.mark.slow
def test_a_class_of_many_is_searched(browser: Browser, address: str, pictures: list[Path]) -> None:
    page = browser.new_page()
    names = [f"species {number:04}" for number in range(1000)]
    model = httpx.get(f"{address}/v1/model").json() | {"classes": names, "corrections": True}
    page.route("**/v1/model", lambda route: route.fulfill(json=model))
    page.route("**/v1/corrections", lambda route: route.fulfill(status=201, json={}))
    page.goto(address)
    page.set_input_files("#files", pictures[0])
    expect(page.locator("#title")).to_have_text("Which of 1,000 classes is it?")
    page.locator("#correction summary").click()
    field = page.get_by_label("The correct class")
    field.fill("species 10000")
    page.get_by_label("Your name").fill("Ann")
    page.get_by_label("What shows it").fill("its wings")
    page.get_by_role("button", name="Send the correction").click()
    assert field.evaluate("field => field.validationMessage") == "Choose a class of the list."
    field.fill("species 0999")
    page.get_by_role("button", name="Send the correction").click()
    expect(page.locator("#corrected")).to_contain_text("species 0999")
    page.close()


@pytest.mark.slow
def test_the_heat_map_is_the_services(watched: Watched, pictures: list[Path]) -> None:
    page = watched.page
    watched.add(pictures[0])
    page.get_by_role("button", name="Show the heat map").click()
    expect(page.get_by_label("Picture to heat map")).to_be_focused()
    given = httpx.post(f"{watched.address}/v1/explain", content=pictures[0].read_bytes()).content
    drawn = page.locator("#heat").evaluate(
        """async (heat) => {
          await heat.decode();
          const canvas = new OffscreenCanvas(heat.naturalWidth, heat.naturalHeight);
          const context = canvas.getContext("2d");
          context.drawImage(heat, 0, 0);
          return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
        }"""
    )
    assert drawn == np.asarray(Image.open(io.BytesIO(given)).convert("RGBA")).ravel().tolist()
    page.keyboard.press("Home")
    assert page.locator("#heat").evaluate("heat => getComputedStyle(heat).opacity") == "0"
    assert watched.messages == []


@pytest.mark.slow
def test_the_facts_are_those_of_the_model_that_answers(browser: Browser, address: str, pictures: list[Path]) -> None:
    now = httpx.get(f"{address}/v1/model").json()
    before = now | {"classes": ["sun", "rain"], "hash": "0" * 64}
    page, given = browser.new_page(), iter([before])
    page.route("**/v1/model", lambda route: route.fulfill(json=next(given, now)))
    page.goto(address)
    expect(page.locator("#class-list")).to_have_text("sunrain")
    page.set_input_files("#files", pictures)
    expect(page.locator("#class-list li")).to_have_count(3)
    expect(page.locator("#facts")).to_contain_text(now["hash"][:12])
    page.close()


@pytest.mark.slow
def test_what_is_too_large_is_not_sent(browser: Browser, address: str, pictures: list[Path]) -> None:
    page = browser.new_page()
    model = httpx.get(f"{address}/v1/model").json() | {"limits": {"body_bytes": 1 << 20}}
    page.route("**/v1/model", lambda route: route.fulfill(json=model))
    page.route("**/v1/predict", lambda route: route.abort())
    page.goto(address)
    expect(page.locator("#class-list li")).to_have_count(3)
    page.set_input_files("#files", {"name": "large.png", "mimeType": "image/png", "buffer": b"0" * (3 << 20)})
    expect(page.locator("#remark")).to_have_text("3.0 MB, and this service takes 1.0 MB at most")
    expect(page.locator("#again")).to_be_hidden()
    # A service that is gone is another matter: the same images may be answered later.
    page.set_input_files("#files", pictures[0])
    expect(page.locator("#remark")).to_contain_text("The service can't be reached.")
    page.unroute("**/v1/predict")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#bars tbody tr")).to_have_count(3)
    page.close()


@pytest.mark.slow
def test_images_are_pasted_dropped_and_taken_from_folders(watched: Watched, pictures: list[Path]) -> None:
    page = watched.page
    page.evaluate(
        """async (bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
          document.body.dispatchEvent(new DragEvent("dragover", { dataTransfer: data, bubbles: true, cancelable: true }));
          window.highlighted = document.getElementById("zone").classList.contains("over");
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list(pictures[0].read_bytes()),
    )
    expect(page.locator("#sheet button")).to_have_count(2)
    watched.wait()
    assert page.evaluate("window.highlighted && !document.getElementById('zone').classList.contains('over')")
    assert page.locator("#file-name").inner_text() == "pasted.png"


@pytest.mark.slow
def test_a_picture_is_taken_by_the_camera(browser: Browser, address: str) -> None:
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    chromium = browser.browser_type.launch(executable_path=_executable(), args=flags)
    page = chromium.new_page()
    page.goto(address)
    page.get_by_role("button", name="Take a picture").click()
    page.get_by_role("dialog", name="Take a picture").get_by_role("button", name="Take the picture").click()
    expect(page.locator("#file-name")).to_have_text("camera 1.jpg")
    expect(page.locator("#bars tbody tr")).to_have_count(3)
    assert page.evaluate("document.getElementById('video').srcObject") is None, "the camera is off"
    chromium.close()


@pytest.mark.slow
def test_a_camera_that_is_not_there_is_said(watched: Watched) -> None:
    watched.page.get_by_role("button", name="Take a picture").click()
    expect(watched.page.locator("#camera-problem")).to_have_text("This device has no camera.")
    watched.page.get_by_role("button", name="Close").click()
    expect(watched.page.locator("#camera-dialog")).to_be_hidden()


@pytest.mark.slow
def test_everything_is_done_with_the_keyboard(watched: Watched, pictures: list[Path]) -> None:
    page = watched.page
    _give_heat_map(page, pictures[0])

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            found, outline = page.evaluate(
                """() => {
                  const at = document.activeElement, style = getComputedStyle(at);
                  const words = at === document.body ? "" : (at.labels?.[0] ?? at).textContent;
                  return [words, `${style.outlineStyle} ${style.outlineWidth}`];
                }"""
            )
            if name in found:
                assert outline == "solid 3px", f"{name} shows its focus"
                return
        raise AssertionError(f"no way to {name} by the keyboard")

    tab_to("Choose images")
    page.locator("#files").evaluate("(input) => { input.onclick = () => { window.opened = true; return false; }; }")
    page.keyboard.press("Enter")
    assert page.evaluate("window.opened"), "Enter opens the choice of files"
    watched.add(*pictures[:3])
    watched.wait()
    expect(page.locator("#status")).to_contain_text("3 images: ")
    tab_to("Show the heat map")
    page.keyboard.press("Enter")
    expect(page.locator("#strength")).to_be_focused()
    page.locator("#correction summary").wait_for()
    tab_to(page.locator("#correction summary").inner_text())
    page.keyboard.press("Enter")
    tab_to("The correct class")
    page.keyboard.press("z" if page.locator("#label option[value=zero]").is_enabled() else "o")
    tab_to("Your name")
    page.keyboard.type("Ann")
    tab_to("What shows it")
    page.keyboard.type("it is round")
    page.keyboard.press("Enter")
    expect(page.locator("#corrected")).to_contain_text("Sent: ")
    tab_to(pictures[0].name)
    page.keyboard.press("ArrowRight")
    assert page.locator("#file-name").inner_text() == pictures[1].name
    page.keyboard.press("End")
    assert page.locator("#file-name").inner_text() == pictures[2].name


@pytest.mark.slow
@pytest.mark.parametrize(
    "watched", [{}, {"color_scheme": "dark"}, PHONE, {**PHONE, "color_scheme": "dark"}], indirect=True
)
def test_the_page_can_be_read_by_everybody(watched: Watched, pictures: list[Path], damaged: Path) -> None:
    page = watched.page
    _give_heat_map(page, pictures[0])
    faults = _faults(page, "empty")
    watched.add(pictures[0])
    watched.wait()
    page.locator("#correction summary").click()
    page.locator("#explain").click()
    page.locator("#heat-slider").wait_for()
    faults += _faults(page, "one image")
    watched.add(damaged, *pictures[1:])
    watched.wait()
    faults += _faults(page, "many images, one without an answer")
    if unsure := page.locator("#sheet button", has_text="not sure").all():
        unsure[0].click()
        faults += _faults(page, "not sure")
    page.evaluate("document.getElementById('key-dialog').showModal()")
    faults += _faults(page, "asking for a key")
    assert faults == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut at the side"


def _faults(page: Page, state: str) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{state}: {each['id']} at {[node['target'] for node in each['nodes']]}" for each in found]


def _give_heat_map(page: Page, picture: Path) -> None:
    """What it looks like is of no account here, and making one takes a while."""
    page.route("**/v1/explain", lambda route: route.fulfill(path=picture, content_type="image/png"))


def _executable() -> str:
    return next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
