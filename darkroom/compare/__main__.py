"""`python -m darkroom.compare`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from darkroom.compare.comparison import compare
from darkroom.compare.markdown import to_markdown
from darkroom.compare.page import side_by_side_page
from darkroom.compare.record import to_record
from darkroom.compare.scored import read_scored
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.stage import user_errors

OUT = Path("reports/compare")
PAGE, RECORD = "index.html", "compare.json"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.compare", description="Compare two models on the test images that both answered."
    )
    parser.add_argument("before", metavar="REV_A", help="a git revision, or `workspace`")
    parser.add_argument("after", metavar="REV_B", help="likewise")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help=f"for the page; {OUT} if not said")
    options = parser.parse_args(arguments)
    with user_errors():
        _require_ours(options.out)
        before, after = read_scored(options.before), read_scored(options.after)
        found = compare(before, after)
        with whole_folder(options.out) as folder:
            write_json(folder / RECORD, to_record(found, before, after))
            (folder / PAGE).write_text(side_by_side_page(found, before, after), encoding="utf-8")
        print(to_markdown(found), end="")
        print(f"\nThe page: {options.out / PAGE}")


def _require_ours(out: Path) -> None:
    """Before the work is done, and before a folder is replaced that holds anything else."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise DarkroomError(f"can't write to {out}: it is a {'link' if out.is_symlink() else 'file'}; name a folder")
    others = sorted(path.name for path in out.iterdir() if path.name not in (PAGE, RECORD)) if out.exists() else []
    if others:
        raise DarkroomError(
            f"{out} holds other files ({others[0]} and {len(others) - 1:,} more): name a folder of its own"
        )


if __name__ == "__main__":
    main()
