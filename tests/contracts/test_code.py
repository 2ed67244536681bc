"""The hash of a stage's code: what a stage reaches, and which edits change its hash."""

import ast
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from darkroom.runtime.closure import Code
from tests.conftest import ROOT

STAGES = list(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
SMALL = {
    "stages/s.py": "import json\nfrom darkroom.a import later\n",
    "darkroom/__init__.py": "",
    "darkroom/a.py": "def later():\n    from darkroom import b\n    return 'x/page.html', 'darkroom.d'\n",
    "darkroom/b.py": "import darkroom.c as c\n",
    "darkroom/c.py": "",
    "darkroom/d.py": "",
    "darkroom/e.py": "",
    "darkroom/room/page.html": "{% include 'page.css' %}",
    "darkroom/room/page.css": "p { color: red }",
    "darkroom/room/other.css": "",
}


def write(root: Path, files: dict[str, str]) -> Code:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return Code(root)


def test_hidden_imports_processes_and_templates_are_reached(tmp_path: Path) -> None:
    reached = write(tmp_path, SMALL).closure("stages/s.py")
    assert reached == sorted(SMALL.keys() - {"darkroom/e.py", "darkroom/room/other.css"})


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("darkroom/c.py", "# A comment.\n\n\n", False),
        ("darkroom/c.py", '"""A docstring."""\n', False),
        ("darkroom/c.py", "x = 1\n", True),
        ("darkroom/e.py", "x = 1\n", False),
        ("darkroom/__init__.py", "x = 1\n", True),
        ("darkroom/room/page.css", "p { color: blue }", True),
        ("darkroom/room/other.css", "p { color: blue }", False),
    ],
)
def test_what_changes_the_hash(tmp_path: Path, file: str, text: str, changes: bool) -> None:
    before = write(tmp_path, SMALL).version("s")
    assert (write(tmp_path, {file: text}).version("s") != before) is changes


# Versions of Python differ in how they cut f-strings, in which fields the syntax tree has, and in what `repr` escapes.
HARD = '''
def f[[T]](x: int, /, *y: str, z: float = 1e-3) -> str:
    """Not code."""
    a: int = 5
    """Not code either."""
    match x:
        case {"k": [1, *_]} | None:
            return f"{x!r:>{a}.2f}" "tail" f"{y=}\\N{BULLET} {'in' 'ner'}" "" rf"\\d{z}"
    return "\\U0001fae8" + b"\\xff".decode() + str(-1j)
'''.replace("[[T]]", "")


def test_the_hash_is_the_same_on_every_version_of_python(tmp_path: Path) -> None:
    assert write(tmp_path, {"stages/s.py": HARD, "darkroom/__init__.py": ""}).version("s") == "bec400b0e1da"


def versions(root: Path) -> dict[str, str]:
    code = Code(root)
    return {stage: code.version(stage) for stage in STAGES}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the code of this repository."""
    for name in ("darkroom", "stages", "flows"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def without_comments(text: str) -> str:
    return ast.unparse(ast.parse(text))


def with_other_docstrings(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value += " And more."
    return ast.unparse(tree)


@pytest.mark.parametrize("edit", [without_comments, with_other_docstrings])
def test_neither_comments_nor_docstrings_nor_line_breaks_change_a_hash(house: Path, edit: Callable[[str], str]) -> None:
    before = versions(house)
    for path in house.rglob("*.py"):
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert versions(house) == before


def test_code_changes_the_hashes_of_the_stages_that_reach_it_and_no_other(house: Path) -> None:
    code, before = Code(house), versions(house)
    closures = {stage: code.closure(f"stages/{stage}.py") for stage in STAGES}
    for room in sorted((house / "darkroom").glob("*/__init__.py")):
        path = sorted(room.parent.glob("*.py"))[-1]
        text = path.read_text(encoding="utf-8")
        path.write_text(f"{text}\nADDED = 1\n", encoding="utf-8")
        # Only this file is read again: a tenth of the time.
        edited = Code(house)
        edited._files = {name: file for name, file in code._files.items() if house / name != path}
        changed = {stage for stage in STAGES if edited.version(stage) != before[stage]}
        path.write_text(text, encoding="utf-8")
        assert changed == {stage for stage in STAGES if path.relative_to(house).as_posix() in closures[stage]}


def test_evaluate_reaches_neither_torch_nor_onnxruntime() -> None:
    heavy = {"torch", "torchvision", "timm", "onnx", "onnxruntime"}
    for path in Code(ROOT).closure("stages/evaluate.py"):
        for node in ast.walk(ast.parse((ROOT / path).read_bytes())) if path.endswith(".py") else ():
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not heavy & {name.split(".")[0] for name in names}, f"{path}, line {getattr(node, 'lineno', 0)}"


def test_every_template_and_style_sheet_is_reached(house: Path) -> None:
    code = Code(house)
    reached = {file for path in house.rglob("*.py") for file in code.closure(path.relative_to(house).as_posix())}
    data = {path.relative_to(house).as_posix() for path in (house / "darkroom").rglob("*.*") if path.suffix != ".py"}
    assert data - reached == set()
