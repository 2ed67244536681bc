"""`make label`: a page on this machine that asks for labels, where they count most.

    python -m darkroom.labelling [FOLDER …] --bundle models/export --port 8120

It asks images on which a held candidate and the champion disagree, what the service stored for it, and images in folders that
are named. Labels go to data/inbox/, which the next run takes.
"""

import argparse
import getpass
import secrets
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uvicorn

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.labelling.app import make_app
from darkroom.labelling.queue import Queue
from darkroom.labelling.scores import Scorer
from darkroom.labelling.waiting import images_in_folders, read_disagreements, sampled_images
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import BUNDLE, INBOX, SAMPLES
from darkroom.runtime.stage import user_errors
from darkroom.runtime.text import count

HOST = "127.0.0.1"
# The bundle that the service follows, where there is one.
CURRENT = Path("models/serving/current")


def open_queue(root: Path, bundle: Bundle, folders: Sequence[str], reviewer: str) -> Queue:
    """The queue over all images that wait in a repository.

    Args:
        root: of the repository.
        bundle: that scores them.
        folders: of images that a user names; paths.
        reviewer: who answers.

    Raises:
        DarkroomError: when a table is damaged, a folder is not there, or nothing waits.
    """
    disagreements = read_disagreements(root)
    first = {image.sha256: place for place, (image, _) in enumerate(disagreements)}
    waiting = {image.sha256: image for image in images_in_folders(folders)}
    waiting |= {image.sha256: image for image in sampled_images(root / SAMPLES)}
    of_data = {image.sha256: image for image, in_data in disagreements if in_data}
    others = {image.sha256: image for image, in_data in disagreements if not in_data}
    pool = [image for sha256, image in (others | waiting).items() if sha256 not in of_data]
    scorer = Scorer(bundle)
    queue = Queue(bundle, list(scorer.score(of_data.values())), list(scorer.score(pool)), first, root / INBOX, reviewer)
    if not queue.images:
        raise DarkroomError(
            f"nothing waits for a label: no candidate is held, and {root / SAMPLES} has no image. Name a folder of "
            "images: make label FOLDER=photos"
        )
    if unreadable := len(of_data) + len(pool) - len(queue.images):
        print(f"label: {count(unreadable, 'image')} without a place in the queue: labelled before, or not to be read")
    return queue


def main() -> None:
    arguments = _arguments()
    # Until the page is there, Ctrl-C ends this without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with user_errors():
        bundle = load_bundle(arguments.bundle or (CURRENT if CURRENT.exists() else BUNDLE).resolve())
        queue = open_queue(Path(), bundle, arguments.folders, arguments.reviewer)
        token = secrets.token_urlsafe(16)
        app = make_app(queue, bundle.classes.names, bundle.preprocessing, token)
        with _listen(arguments.port) as listening:
            # After the #, which no request and no log has.
            print(f"label: {count(queue.left, 'image')} to label, as {arguments.reviewer}, until Ctrl-C")
            print(f"  http://{HOST}:{listening.getsockname()[1]}/#{token}", flush=True)
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False))
            # It answers what came in, and raises then.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with suppress(KeyboardInterrupt):
                server.run([listening])
        print(
            f"label: {count(queue.given, 'image')} of this queue labelled, in {INBOX}: make run or make retrain takes them"
        )


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise DarkroomError(
            f"{HOST}:{port} can't be listened at: {error.strerror}; take another port: make label PORT=8121"
        ) from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m darkroom.labelling", description="Ask for labels on a page.")
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="more images to label")
    parser.add_argument(
        "--bundle", type=Path, help="whose classes are asked; default models/serving/current, or models/export"
    )
    parser.add_argument("--port", type=int, default=8120, help="default 8120; 0 takes any")
    parser.add_argument("--reviewer", default=_user(), help="who answers; default the name of the user")
    return parser.parse_args()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user may have no name


if __name__ == "__main__":
    main()
