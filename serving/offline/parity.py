"""The page without a server, asked in a real browser: its probabilities, and that it sent no request."""

import base64
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np

from darkroom.runtime.arrays import Float32s
from darkroom.runtime.errors import DarkroomError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Files that go to the browser at a time.
BATCH = 64
# As `client` of main.js; files are base64.
ASK = """async (files) => {
  const found = [];
  for (const file of files) {
    found.push(await client.probabilities(Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0))));
  }
  return found;
}"""


def require_browser() -> str:
    """The path of Chromium.

    Raises:
        DarkroomError: where there is none, or no playwright to lead it.
    """
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise DarkroomError(
            f"there is no browser to check the page in ({', '.join(BROWSERS)}): on Debian or Ubuntu apt-get install chromium"
        )
    if find_spec("playwright") is None:
        raise DarkroomError("playwright is missing, which leads the browser: pip install -r requirements-dev.txt")
    return path


def browser_probabilities(page: Path, files: Iterable[bytes], browser: str) -> Float32s:
    """What the page answers in a browser, from a file, for the bytes of image files.

    Args:
        page: that `serving.offline` wrote.
        files: the bytes of each.
        browser: its path.

    Returns:
        float32 [N, K].

    Raises:
        DarkroomError: when the page refuses an image or does not run, writes an error to the console, or asks for anything
            beside itself.
    """
    from playwright.sync_api import Error, sync_playwright

    problems: list[str] = []
    requests: list[str] = []
    rows: list[list[float]] = []
    address = page.resolve().as_uri()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = opened.new_page()
        tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        try:
            tab.goto(address)
            tab.evaluate("client.model()")
            remaining = iter(files)
            while batch := list(islice(remaining, BATCH)):
                rows += tab.evaluate(ASK, [base64.b64encode(data).decode() for data in batch])
        except Error as error:
            raise DarkroomError(f"{page} does not answer in {browser}: {error.message.splitlines()[0]}") from None
        finally:
            opened.close()
    # Blobs are parts of the page itself.
    problems += [f"a request for {url}" for url in requests if url != address and not url.startswith("blob:")]
    if problems:
        raise DarkroomError(
            f"{page} answered in {browser}, and reported {len(problems)} problems, the first is {problems[0]}"
        )
    return np.array(rows, np.float32)
