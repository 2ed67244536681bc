"""Check the page without a server in a browser, on the test images of this clone.

python -m serving.offline.parity BUNDLE [--graph FILE] [--images N]

It has to give the predictions of the evaluated model, from a file, without a request and without an error on the console.
"""

import argparse
import base64
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from darkroom.bundle.bundle import FLOAT_GRAPH, load_bundle
from darkroom.bundle.reference_predictions import load_reference
from darkroom.images.jpeg import MAGIC
from darkroom.images.shards import read_shards
from darkroom.runtime import paths
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json
from darkroom.runtime.stage import user_errors
from serving.offline.browser import AGREEMENT, DIGITS, LIMIT, EvaluatedImages, require_browser
from serving.offline.page import offline_page
from serving.offline.runtime import read_runtime, require_runtime

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


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m serving.offline.parity",
        description="Check the page without a server on the test images of this clone.",
    )
    parser.add_argument("bundle", type=Path, nargs="?", default=paths.BUNDLE, help="models/export without it")
    parser.add_argument(
        "--graph", metavar="FILE", default=FLOAT_GRAPH, help=f"as of the page; {FLOAT_GRAPH} without it"
    )
    parser.add_argument("--images", type=int, metavar="N", default=10**9, help="an even sample; all without it")
    parser.add_argument("--ingest", type=Path, default=paths.INGEST, help="the folder of ingest")
    parser.add_argument("--arrays", type=Path, default=paths.ARRAYS / "test", help="the arrays of the test images")
    parser.add_argument("--predictions", type=Path, default=paths.EVALUATE_REPORTS / "predictions.parquet")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    arguments = parser.parse_args()
    with user_errors():
        tested = EvaluatedImages(arguments.ingest, arguments.arrays, arguments.predictions, arguments.images)
        found = check_page(arguments.bundle, arguments.graph, tested)
        if arguments.json:
            write_json(arguments.json, found)


def check_page(folder: Path, graph: str, tested: EvaluatedImages) -> dict[str, object]:
    """Write the page of a bundle, and compare its answers in a browser with the evaluated ones.

    Args:
        folder: of the bundle.
        graph: file name of the graph that the page is to have. A smaller one is compared with itself in Python.
        tested: the images.

    Returns:
        What `parity.json` has of it.

    Raises:
        DarkroomError: when the page is outside its limits, with the numbers; or as `browser_probabilities` does.
    """
    browser = require_browser()
    runtime = read_runtime(require_runtime())
    bundle = load_bundle(folder, graph)
    reference = load_reference(tested.ingest, tested.arrays, tested.predictions, bundle.classes, tested.images)
    expected = reference.probabilities if graph == FLOAT_GRAPH else bundle.predict(np.asarray(reference.pixels))
    with TemporaryDirectory() as name:
        page = Path(name) / "page.html"
        page.write_text(offline_page(bundle, runtime), encoding="utf-8")
        jpeg: list[bool] = []
        files = _noting(read_shards(tested.ingest / "shards", reference.locations), jpeg)
        found = browser_probabilities(page, files, browser)
    agreement = float((expected.argmax(axis=1) == found.argmax(axis=1)).mean())
    differences = np.abs(expected.astype(np.float64) - found).max(axis=1)
    largest = float(differences.max())
    words = (
        f"labels agree on {agreement:.2%} of {len(expected):,} test images, and a probability differs by {largest:.6f}"
    )
    # A NaN is no number below the limit.
    if not (differences[~np.array(jpeg)].max(initial=0) <= LIMIT and agreement >= AGREEMENT):
        raise DarkroomError(f"in {browser} {words}; {AGREEMENT:.1%} and {LIMIT} allowed (without JPEG)")
    print(f"offline: in {browser} {words}, at most")
    return {
        "graph": graph,
        "images": len(expected),
        "label_agreement": round(agreement, DIGITS),
        "largest_difference": round(largest, DIGITS),
        "limit": {"label_agreement": AGREEMENT, "probability_difference": LIMIT},
    }


def _noting(files: Iterable[bytes], jpeg: list[bool]) -> Iterator[bytes]:
    """The files, and whether each is a JPEG: browsers decode those by rules that are not quite libjpeg's."""
    for data in files:
        jpeg.append(data[:3] == MAGIC)
        yield data


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


if __name__ == "__main__":
    main()
