"""Write a page that classifies without a server.

python -m serving.offline BUNDLE PAGE.html [--graph FILE]
"""

import argparse
from pathlib import Path

from darkroom.bundle.bundle import FLOAT_GRAPH, load_bundle
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file
from darkroom.runtime.stage import user_errors
from serving.offline.page import offline_page
from serving.offline.runtime import read_runtime, require_runtime


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m serving.offline",
        description="Write one HTML file that classifies images in a browser, without a server and without a request.",
    )
    parser.add_argument("bundle", type=Path, help="the folder that the export stage wrote: models/export")
    parser.add_argument("page", type=Path, help="the HTML file to write")
    parser.add_argument(
        "--graph",
        metavar="FILE",
        default=FLOAT_GRAPH,
        help=f"the graph of the bundle to put in; {FLOAT_GRAPH} without it, which predicts as evaluated on every processor",
    )
    arguments = parser.parse_args()
    with user_errors():
        write_page(arguments.bundle, arguments.page, arguments.graph)


def write_page(folder: Path, target: Path, graph: str) -> None:
    """Write the page of a bundle, and print its size.

    Args:
        folder: of the bundle.
        target: the file to write.
        graph: file name of the graph to put in.

    Raises:
        DarkroomError: as `load_bundle`, `require_runtime` and `offline_page` do; or when the file can't be written.
    """
    if target.suffix != ".html":
        raise DarkroomError(f"{target} is no name of a page: give one that ends with .html")
    bundle = load_bundle(folder, graph)
    runtime = read_runtime(require_runtime())
    page = offline_page(bundle, runtime).encode()
    with whole_file(target) as partial:
        partial.write_bytes(page)
    graph_size = (folder / graph).stat().st_size
    print(
        f"offline: {target}, {len(page) / 1e6:.1f} MB, with {graph} ({graph_size / 1e6:.1f} MB); open it in any browser"
    )


if __name__ == "__main__":
    main()
