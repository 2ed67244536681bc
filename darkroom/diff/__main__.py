"""`python -m darkroom.diff`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from darkroom.diff.difference import compare
from darkroom.diff.findings import FINDINGS, findings, to_json
from darkroom.diff.markdown import to_markdown
from darkroom.diff.page import changes_page
from darkroom.diff.relabels import predictions_before, relabels
from darkroom.diff.state import read_state
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json
from darkroom.runtime.stage import user_errors

# The status where there is something of --fail-on; 1 is an error.
REFUSED = 3


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m darkroom.diff", description="Compare two versions of the data.")
    parser.add_argument("before", metavar="REV_A", help="a git revision, or `workspace`")
    parser.add_argument("after", metavar="REV_B", help="a git revision, or `workspace`")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the text there as well")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, for programs")
    parser.add_argument(
        "--fail-on",
        default="",
        metavar="FINDINGS",
        help=f"end with status 3 where there is one of these, separated by commas: {', '.join(FINDINGS)}",
    )
    options = parser.parse_args(arguments)
    with user_errors():
        for file in (options.markdown, options.html, options.json):
            _require_writable(file)
        refused = _findings(options.fail_on)
        before, after = read_state(options.before), read_state(options.after)
        difference = compare(before, after)
        pairs = relabels(difference, predictions_before(difference))
        text = to_markdown(difference, pairs)
        print(text, end="")
        if options.markdown:
            options.markdown.write_text(text, encoding="utf-8")
        if options.html:
            options.html.write_text(changes_page(difference, before, after, pairs), encoding="utf-8")
        if options.json:
            write_json(options.json, to_json(difference, pairs))
        if found := {name: words for name, words in findings(difference).items() if name in refused}:
            print("\n".join(["", *(f"refused for {name}: {words}" for name, words in found.items())]))
            raise SystemExit(REFUSED)


def _findings(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in FINDINGS]:
        raise DarkroomError(f"--fail-on {', '.join(unknown)}: should be some of {', '.join(FINDINGS)}")
    return names


def _require_writable(file: Path | None) -> None:
    """Refuse a file that can't be written, before the work is done."""
    if file and not file.parent.is_dir():
        raise DarkroomError(f"can't write {file}: there is no folder {file.parent}; make it, or choose another file")
    if file and file.is_dir():
        raise DarkroomError(f"can't write {file}: it is a folder; choose a file in it")


if __name__ == "__main__":
    main()
