"""The rooms of the house: each imports only those below it, and no module is long."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# From the bottom to the top. A room imports itself and rooms before it, which leaves no way for a circle between rooms.
# fmt: off
ORDER = [
    "runtime", "settings", "model", "statistics", "drawing", "sources", "labels", "images",
    "splits", "duplicates", "checks", "network", "inference", "training", "selection", "tuning",
    "evaluation", "compression", "bundle", "diff", "compare", "monitoring", "predict", "monitor",
    "registry", "gate", "labelling", "serving", "deploy", "stages", "flows",
]
# fmt: on
TOPS = ("darkroom", "serving", "deploy", "stages", "flows")


def imported(path: Path) -> Iterator[str]:
    """The modules of this repository that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path} imports relatively"
            names = [f"{node.module}.{name}" for name in names]
        yield from (name for name in names if name.split(".")[0] in TOPS)


def room(name: str) -> str:
    """The room of a module: `darkroom.images.pack` is in `images`, `stages.train` in `stages`."""
    top, *rest = name.split(".")
    return rest[0] if top == "darkroom" else top


def test_every_room_has_its_place() -> None:
    assert {path.parent.name for path in (ROOT / "darkroom").glob("*/__init__.py")} | {
        "serving",
        "deploy",
        "stages",
        "flows",
    } == set(ORDER)


def test_a_module_imports_only_its_own_room_and_rooms_below() -> None:
    wrong = []
    for path in sorted(
        path for top in TOPS for path in (ROOT / top).glob("*/*.py" if top == "darkroom" else "**/*.py")
    ):
        here = room(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name in imported(path):
            # A stage is a story of its own: it imports no other stage.
            if ORDER.index(room(name)) > ORDER.index(here) or here == "stages" == room(name):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ("darkroom/**/*.py", 250),
        ("stages/*.py", 120),
        ("flows/*.py", 250),
        ("serving/**/*.py", 250),
        ("deploy/**/*.py", 250),
    ],
)
def test_no_module_is_long(files: str, most: int) -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in ROOT.glob(files)}
    assert {name: count for name, count in lines.items() if count > most} == {}
