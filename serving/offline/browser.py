"""The page without a server as `export` checks it: what that needs, and the check as a process of its own.

No module of the page is imported here: a style or a word of the page must not run `export` again.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import read_json
from serving.offline.runtime import require_runtime

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Of probabilities, and of the fraction of images with the same predicted class.
LIMIT, AGREEMENT = 0.01, 0.995
# Digits in the report: browsers differ in the last bits.
DIGITS = 4


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


def require_page_check(wanted: bool) -> None:
    """Stop where the page without a server should be checked, and can't be.

    Args:
        wanted: `export.browser`.

    Raises:
        DarkroomError: where Chromium, playwright or npm are missing, or the runtime of the page can't be brought.
    """
    if not wanted:
        return
    try:
        require_browser()
        require_runtime()
    except DarkroomError as error:
        raise DarkroomError(f"export.browser is on: {error}; or export.browser=false goes without the check") from None


@dataclass(frozen=True)
class EvaluatedImages:
    """Where the test images are, and what the evaluated model predicts for them.

    Attributes:
        ingest: the folder that the ingest stage wrote.
        arrays: the folder `data/preprocess/test`.
        predictions: `predictions.parquet` of evaluate.
        images: that are asked, at most.
    """

    ingest: Path
    arrays: Path
    predictions: Path
    images: int


def page_parity(bundle: Path, tested: EvaluatedImages) -> dict[str, Any]:
    """Check the page of a bundle in a browser, as `python -m serving.offline.parity` does.

    Args:
        bundle: its folder.
        tested: the images.

    Returns:
        What `parity.json` has of it.

    Raises:
        DarkroomError: with the message of the check.
    """
    # Put together, since a string that names a module counts as an import of it.
    module = ".".join(["serving", "offline", "parity"])
    with TemporaryDirectory() as name:
        report = Path(name) / "browser.json"
        command = [sys.executable, "-m", module, str(bundle), "--ingest", str(tested.ingest), "--json", str(report)]
        command += ["--arrays", str(tested.arrays), "--predictions", str(tested.predictions)]
        command += ["--images", str(tested.images)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        if done.returncode:
            reason = done.stderr.strip().rpartition("error: ")[2] or f"it ended with status {done.returncode}"
            raise DarkroomError(f"parity: the page without a server: {reason}")
        found: dict[str, Any] = read_json(report)
        return found


def page_sentence(found: dict[str, Any]) -> str:
    """For the terminal and the model card.

    Args:
        found: as `page_parity` gives it.
    """
    return (
        f"In a browser without a server, for {found['images']:,} test images, `{found['graph']}` gives the same classes for "
        f"{found['label_agreement']:.2%}, and no probability differs by more than {found['largest_difference']:.{DIGITS}f}"
    )
