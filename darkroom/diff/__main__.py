"""`python -m darkroom.diff`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from darkroom.diff.difference import compare
from darkroom.diff.markdown import to_markdown
from darkroom.diff.page import changes_page
from darkroom.diff.state import read_state
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m darkroom.diff", description="Compare two versions of the data.")
    parser.add_argument("before", metavar="REV_A", help="a git revision, or `workspace`")
    parser.add_argument("after", metavar="REV_B", help="a git revision, or `workspace`")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the text there as well")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures there")
    options = parser.parse_args(arguments)
    with user_errors():
        for file in (options.markdown, options.html):
            _require_writable(file)
        before, after = read_state(options.before), read_state(options.after)
        difference = compare(before, after)
        text = to_markdown(difference)
        print(text, end="")
        if options.markdown:
            options.markdown.write_text(text, encoding="utf-8")
        if options.html:
            options.html.write_text(changes_page(difference, before, after), encoding="utf-8")


def _require_writable(file: Path | None) -> None:
    """Refuse a file that can't be written, before the work is done."""
    if file and not file.parent.is_dir():
        raise DarkroomError(f"can't write {file}: there is no folder {file.parent}; make it, or choose another file")
    if file and file.is_dir():
        raise DarkroomError(f"can't write {file}: it is a folder; choose a file in it")


if __name__ == "__main__":
    main()
