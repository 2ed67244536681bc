"""Publish the champion to an object store: its files first, then the small object that names it.

    python -m darkroom.registry.remote s3://bucket/bundles            # what models/serving/current leads to
    python -m darkroom.registry.remote s3://bucket/bundles v1.3.0     # another published version

`python -m serving s3://bucket/bundles/current` follows it.
"""

import argparse
from pathlib import Path

from darkroom.bundle.bundle import INDEX, load_bundle
from darkroom.registry.published import linked
from darkroom.registry.versions import SERVING
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import ObjectStore
from darkroom.runtime.stage import user_errors

POINTER = "current"


def publish_remote(root: Path, url: str, number: str | None = None) -> str:
    """Send a published version, and point to it.

    Whoever follows the pointer finds the version before or this one, whole: the pointer is one object, written last. A
    version that is there already, byte for byte by its index, is only pointed to.

    Args:
        root: of the repository.
        url: of the folder of bundles.
        number: of the version; None: the champion.

    Returns:
        The version.

    Raises:
        DarkroomError: when there is no such version or it is damaged, or when the store refuses.
    """
    number = number or linked(root)
    if number is None:
        raise DarkroomError(
            f"there is no champion in {root / SERVING}: `make retrain` makes one, `make models` lists them"
        )
    folder, store = root / SERVING / number, ObjectStore.open(url)
    load_bundle(folder, threads=1)
    index = (folder / INDEX).read_bytes()
    try:
        there = store.read(f"{number}/{INDEX}") == index
    except FileNotFoundError:
        there = False
    if not there:
        for file in sorted(folder.iterdir(), key=lambda file: file.name == INDEX):
            store.write(f"{number}/{file.name}", file.read_bytes())
    store.write(POINTER, number.encode())
    return number


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.registry.remote", description="Publish a version to an object store."
    )
    parser.add_argument("url", help="the folder of bundles, as s3://bucket/bundles")
    parser.add_argument("version", nargs="?", help="as v1.4.0; default: the champion")
    arguments = parser.parse_args()
    with user_errors():
        number = publish_remote(Path(), arguments.url, arguments.version)
        print(f"{arguments.url}/{POINTER} is {number}: python -m serving {arguments.url}/{POINTER}")


if __name__ == "__main__":
    main()
