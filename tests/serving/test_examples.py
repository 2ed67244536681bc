"""The clients in `examples/`, built and used as their READMEs say, in front of a real service."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from serving.app import make_app
from serving.service import Service
from tests.conftest import ROOT
from tests.support.live import live

EXAMPLES = ROOT / "examples"
# Streamlit runs the script, is given two files, and says what it shows.
APP_TEST = """
import json, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=60).run()
app.file_uploader[0].set_value([(path.name, path.read_bytes(), "image/png") for path in map(Path, sys.argv[1:])])
app.run()
print(json.dumps({
    "exceptions": [each.value for each in app.exception],
    "classes": [each.value for each in app.metric],
    "errors": [each.value for each in app.error],
    "texts": [each.value for each in app.text],
}))
"""


@pytest.fixture
def files(shipped: Path, tmp_path: Path) -> tuple[Path, Path]:
    """An image, and one that can't be read."""
    picture = sorted((shipped / "images").rglob("*.png"))[0]
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(picture.read_bytes()[:90])
    return picture, damaged


@pytest.fixture(scope="module")
def react(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `npm run build` wrote."""
    if not shutil.which("npm"):
        pytest.skip("there is no npm on this machine")
    folder = tmp_path_factory.mktemp("examples") / "react"
    shutil.copytree(EXAMPLES / "react", folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    installed = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
    if installed.returncode and "EUSAGE" not in installed.stderr:
        pytest.skip(f"npm has no packages here: {installed.stderr[-300:]}")
    assert installed.returncode == 0, installed.stderr
    built = subprocess.run(["npm", "run", "build"], cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def streamlit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the example's requirements."""
    folder = tmp_path_factory.mktemp("streamlit")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin/python"
    wanted: list[str | Path] = [python, "-m", "pip", "install", "-q", "-r", EXAMPLES / "streamlit/requirements.txt"]
    installed = subprocess.run(wanted, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"pip has no packages here: {installed.stderr[-300:]}")
    return python


@pytest.fixture
def service(shipped: Path) -> Iterator[Service]:
    found = Service(shipped / "models/export")
    yield found
    found.close()


@pytest.mark.slow
def test_react_draws_the_answer(react: Path, browser: Browser, service: Service, files: tuple[Path, Path]) -> None:
    answers, built = make_app(service), StaticFiles(directory=react, html=True)

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        """As Vite's development server, which hands /v1 on."""
        mine = scope["type"] == "http" and not scope["path"].startswith("/v1/")
        await (built if mine else answers)(scope, receive, send)

    picture, damaged = files
    with live(both) as address:
        page = browser.new_page()
        messages: list[str] = []
        page.on("console", lambda said: messages.append(said.text))
        page.goto(address)
        page.get_by_label("Image").set_input_files(picture)
        answer = httpx.post(f"{address}/v1/predict", content=picture.read_bytes()).json()
        expect(page.get_by_role("heading", level=2)).to_have_text(answer["answer"] or "Not sure")
        best = page.get_by_role("meter", name=answer["label"])
        assert float(best.get_attribute("value") or 0) == answer["confidence"]
        assert page.locator("dt").count() == 3
        assert messages == []
        page.get_by_label("Image").set_input_files(damaged)
        reason = httpx.post(f"{address}/v1/predict", content=damaged.read_bytes()).json()["detail"]
        expect(page.get_by_role("alert")).to_have_text(reason)
        page.close()


@pytest.mark.slow
def test_streamlit_draws_the_answer(streamlit: Path, service: Service, files: tuple[Path, Path]) -> None:
    picture, damaged = files
    with live(make_app(service)) as address:
        ran = subprocess.run(
            [streamlit, "-c", APP_TEST, picture, damaged],
            cwd=EXAMPLES / "streamlit",
            env={"PATH": os.environ["PATH"], "SERVICE": address, "HOME": str(streamlit.parent)},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        shown = json.loads(ran.stdout.splitlines()[-1])
        answer = httpx.post(f"{address}/v1/predict", content=picture.read_bytes()).json()
        reason = httpx.post(f"{address}/v1/predict", content=damaged.read_bytes()).json()["detail"]
    assert shown["exceptions"] == []
    assert shown["classes"] == [answer["answer"] or "Not sure"]
    assert shown["errors"] == ["No answer"]
    ranked = sorted(answer["probabilities"].items(), key=lambda item: -item[1])
    assert shown["texts"] == [*(f"{label} {p:.1%}" for label, p in ranked), f"damaged.png: {reason}"]


@pytest.mark.slow
def test_the_types_of_the_services_own_page_hold(react: Path) -> None:
    """Its modules have no build step: TypeScript reads their comments."""
    options = "--noEmit --allowJs --checkJs --strict --target es2022 --module es2022 --moduleResolution bundler"
    tsc = react.parent / "node_modules/.bin/tsc"
    main = ROOT / "serving/page/static/main.js"
    checked = subprocess.run(
        [tsc, *options.split(), "--lib", "es2023,dom,dom.iterable", main], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_the_examples_pin_what_they_need_and_name_no_registry() -> None:
    lock = json.loads((EXAMPLES / "react/package-lock.json").read_text())
    packages = [name for name in lock["packages"] if name]
    assert all("integrity" in lock["packages"][name] and "resolved" not in lock["packages"][name] for name in packages)
    for line in (EXAMPLES / "streamlit/requirements.txt").read_text().splitlines():
        assert line.startswith("#") or "==" in line
