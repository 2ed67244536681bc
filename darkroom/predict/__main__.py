"""Predict the class of images.

python -m darkroom.predict BUNDLE IMAGE [IMAGE ...] [--json | --csv] [--top-k K] [--explain FOLDER] [--log FOLDER]
                       [--graph model.onnx]

An image is a file, a folder of files, or - for a list on standard input. One that is missing or can't be read gets a line that
has its error, the others their predictions, and the exit status is 1. Where its confidence is below the threshold the model
abstains.
"""

import argparse
import io
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.predict.answers import predict_files
from darkroom.predict.listing import STDIN, Refusal, list_images
from darkroom.predict.output import Writer, as_csv, as_json, csv_header, for_people, write_heatmap
from darkroom.predict.row_log import RowLog
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors


def main() -> None:
    arguments = _arguments()
    # Whoever reads only the first lines, as `head` does, ends it without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    closed = sys.stdout is None
    with user_errors():
        if closed:
            raise DarkroomError(
                "standard output is closed: the predictions have nowhere to go; send them to a file or a pipe"
            )
        bundle = load_bundle(arguments.bundle, arguments.graph)
        # Where a service was started without a standard input, there is none.
        stdin = sys.stdin.buffer if sys.stdin else io.BytesIO()
        listed: Iterable[Path | Refusal] = list_images(arguments.images, stdin)
        # A list on standard input may have no end; the others are counted, for the progress bar.
        paths = listed if STDIN in arguments.images else list(listed)
        if arguments.explain:
            _make_folder(arguments.explain)
        log = RowLog(arguments.log, bundle) if arguments.log else None
        if arguments.csv:
            _print(csv_header(arguments.top_k, len(bundle.classes)))
        failed = _predict(bundle, paths, _writer(arguments), arguments.explain, log)
    if failed:
        raise SystemExit(1)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DarkroomError(f"{folder} can't hold heat maps: {error.strerror}; give another folder") from None


def _predict(
    bundle: Bundle, paths: Iterable[Path | Refusal], write: Writer, explain: Path | None, log: RowLog | None
) -> int:
    """Print a line for each image as soon as its batch is done; returns how many failed."""
    failed = 0
    total = len(paths) if isinstance(paths, list) else None
    # On a terminal the predictions themselves show the progress.
    quiet = True if sys.stdout.isatty() else None
    for number, found in enumerate(tqdm(predict_files(bundle, paths), "predict", total, unit="img", disable=quiet), 1):
        heatmap = None
        if isinstance(found, Refusal):
            failed += 1
        else:
            if explain:
                heatmap = str(write_heatmap(bundle, found, number, explain))
            if log:
                log.add(found)
        _print(write(found, heatmap))
    if log:
        log.close()
    return failed


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError as error:
        raise DarkroomError(
            f"the predictions can't be written to standard output: {error.strerror}; make room, or send them elsewhere"
        ) from None


def _writer(arguments: argparse.Namespace) -> Writer:
    kind = as_json if arguments.json else as_csv if arguments.csv else for_people
    return kind(arguments.top_k)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.predict", description="Predict the class of images, one line for each."
    )
    parser.add_argument("bundle", type=Path, help="the folder that the export stage wrote: models/export")
    parser.add_argument(
        "images", nargs="+", metavar="image", help="an image file, a folder of them, or - for a list on standard input"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON object for each image, one a line")
    form.add_argument("--csv", action="store_true", help="print a table")
    parser.add_argument(
        "--top-k",
        type=_count,
        metavar="K",
        help="print the K most probable classes; without it JSON has all of them, and a line or a table the first",
    )
    parser.add_argument(
        "--explain",
        type=_folder,
        metavar="FOLDER",
        help="also write heat maps there: which regions each prediction depends on",
    )
    parser.add_argument(
        "--log",
        type=_folder,
        metavar="FOLDER",
        help="also write rows of a prediction log there, as the service does: no image, and no name of a file",
    )
    parser.add_argument(
        "--graph",
        metavar="FILE",
        help="another graph of the bundle than its default: model.onnx predicts exactly as evaluated",
    )
    return parser.parse_args()


def _folder(text: str) -> Path:
    # As a path it would be the current folder, where a shell's variable may have been empty.
    if not text:
        raise argparse.ArgumentTypeError("an empty name: give a folder")
    return Path(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a count of classes: 1 or more")
    return int(text)


if __name__ == "__main__":
    main()
