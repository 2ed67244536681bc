"""What reviewers decided about labels: `data/label_fixes.csv`, tracked by git and applied by ingest."""

import csv
import io
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import read_input_table, stage_input
from darkroom.runtime.text import csv_value, printable
from darkroom.sources.class_names import folded

ACTIONS = ("relabel", "remove", "keep")
COLUMNS = ("image", "action", "new_label", "reviewer", "reason")

# The fixes as ingest applied them, sorted by path. `label` is the source's; `new_label` is null but for `relabel`.
APPLIED = pa.schema(
    [
        ("path", pa.string()),
        ("action", pa.string()),
        ("label", pa.string()),
        ("new_label", pa.string()),
        ("reviewer", pa.string()),
        ("reason", pa.string()),
    ]
)

# What the manifest calls `id`.
ID = re.compile(r"[0-9a-f]{16}")
# Faults listed in a message; a source that was renamed makes every row wrong.
MOST_LISTED = 20


@dataclass(frozen=True)
class LabelFix:
    """One row of the file.

    Attributes:
        line: where it ends in the file, of which the header is line 1.
        image: its path in the source, or its id.
        action: one of `ACTIONS`.
        new_label: for `relabel` a class, else None.
        reviewer, reason: who decided, and why.
    """

    line: int
    image: str
    action: str
    new_label: str | None
    reviewer: str
    reason: str


def read_label_fixes(file: Path, paths: Collection[str], classes: tuple[str, ...]) -> list[LabelFix]:
    """Read the fixes, and check them before any image is read.

    An id can't be checked here: it says which bytes an image has, and those of a new image are not known yet.

    Args:
        file: CSV in UTF-8 with the header `image,action,new_label,reviewer,reason`.
        paths: of all images of the source, or those of them that are among `named_images`.
        classes: of the source.

    Raises:
        DarkroomError: when the file can't be read, or rows are wrong: all of them, with their lines.
    """
    known, first = frozenset(paths), dict[str, int]()
    fixes, faults = [], []
    for line, cells in _rows(file):
        if len(cells) != len(COLUMNS):
            faults.append((line, f"{len(cells)} values, and there are {len(COLUMNS)} columns"))
            continue
        action, reviewer, reason = (cells[place].strip() for place in (1, 3, 4))
        image, new_label = _as_named(cells[0], known), _as_named(cells[2].strip(), classes)
        wrong = [_wrong_image(image, known), _wrong_action(action, new_label, classes)]
        wrong += [f"no {name}" for name, value in (("reviewer", reviewer), ("reason", reason)) if not value]
        if image in first:
            wrong.append(f"{image!r} is in line {first[image]:,} already: keep one of them")
        first.setdefault(image, line)
        faults += [(line, text) for text in wrong if text]
        fixes.append(LabelFix(line, image, action, new_label if action == "relabel" else None, reviewer, reason))
    require_valid(file, faults)
    return fixes


def named_images(file: Path) -> frozenset[str]:
    """What may be paths or ids in the first column of the file; raises as `read_label_fixes`."""
    return frozenset(name for _, cells in _rows(file) for name in (cells[0], csv_value(cells[0])))


def fixes_by_range(
    file: Path | None, ranges: Sequence[tuple[str, Callable[[], pa.ChunkedArray]]], classes: tuple[str, ...]
) -> tuple[dict[str, list[LabelFix]], list[LabelFix]]:
    """Read the fixes: those that name an image by its path, by the range that has it; and those that name an id.

    Args:
        file: as in `read_label_fixes`; None where nobody decided anything.
        ranges: name, and what gives the paths of its images; without a fix it is not called.
        classes: of the source.

    Raises:
        DarkroomError: as `read_label_fixes`.
    """
    named = pa.array(sorted(named_images(file)) if file else [], pa.string())
    range_of: dict[str, str] = {}
    for name, read in ranges if len(named) else ():
        paths = read()
        range_of |= dict.fromkeys(paths.filter(pc.is_in(paths, value_set=named)).to_pylist(), name)
    by_path: dict[str, list[LabelFix]] = {}
    by_id = []
    for fix in read_label_fixes(file, range_of, classes) if file else []:
        if fix.image in range_of:
            by_path.setdefault(range_of[fix.image], []).append(fix)
        else:
            by_id.append(fix)
    return by_path, by_id


def _as_named(cell: str, known: Collection[str]) -> str:
    """The name in a cell that was copied from `label_suspects.csv`; or the cell as it was typed, where only that is known."""
    name = csv_value(cell)
    return cell if name not in known and cell in known else name


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    """The rows below the header with the lines they end in; empty ones are left out."""
    rows: list[tuple[int, list[str]]] = []
    line = 1  # in which the row begins that is being read
    try:
        reader = csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
        for row in reader:
            line = reader.line_num + 1
            rows += [(reader.line_num, row)] if row else []
    except FileNotFoundError:
        raise DarkroomError(f"{file} is not there: make it with the one line {','.join(COLUMNS)}") from None
    except OSError as error:
        raise DarkroomError(f"{file} can't be read: {error.strerror}; fix it, or save it again") from None
    except (UnicodeDecodeError, csv.Error) as error:
        if isinstance(error, UnicodeDecodeError):
            line = error.object.count(b"\n", 0, error.start) + 1
        raise DarkroomError(
            f"{file} can't be read as a CSV in UTF-8 from line {line:,} on ({error}): fix it, or save it again"
        ) from None
    if not rows or tuple(cell.strip() for cell in rows[0][1]) != COLUMNS:
        found = ",".join(rows[0][1]) if rows else "nothing"
        raise DarkroomError(f"{file} must begin with the line {','.join(COLUMNS)}, and has {printable(found)}")
    return rows[1:]


def _wrong_image(image: str, known: frozenset[str]) -> str:
    if image in known or ID.fullmatch(image):
        return ""
    return f"the source has no image {image!r}" if image else "no image"


def _wrong_action(action: str, new_label: str, classes: tuple[str, ...]) -> str:
    if action not in ACTIONS:
        return f"the action {action!r} is none of {', '.join(ACTIONS)}"
    if action != "relabel" or new_label in classes:
        return ""
    near = [name for name in classes if folded(name) == folded(new_label)] or get_close_matches(new_label, classes, 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no class {new_label!r}{meant}" if new_label else "no new_label to relabel to"


def require_valid(file: Path, faults: list[tuple[int, str]]) -> None:
    """Stop where there are faults, given as line and text.

    Raises:
        DarkroomError: with the first `MOST_LISTED` of them.
    """
    if not faults:
        return
    listed = [f"  - line {line:,}: {printable(text)}" for line, text in faults[:MOST_LISTED]]
    more = [f"  - and {len(faults) - MOST_LISTED:,} more"] if len(faults) > MOST_LISTED else []
    raise DarkroomError("\n".join([f"{file} can't be used as it is: fix these rows or take them out", *listed, *more]))


@stage_input
def reviewed_images(ingest: Path) -> frozenset[str]:
    """Paths of the images on which a reviewer has decided, whatever it was.

    Args:
        ingest: the folder that the ingest stage wrote.
    """
    return frozenset(read_input_table(ingest / "fixes.parquet", ["path"])["path"].to_pylist())
