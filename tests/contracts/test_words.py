"""Names and messages use the field's words: docs/glossary.md has the terms, here are the words that they replaced."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

# Never part of a name. Words that the field uses, too (right, named, drawn, parts, average) can't be here.
# fmt: off
NOT_IN_NAMES = {
    "certificate", "chance", "clutter", "contender", "examined", "imitation", "insight", "insights", "intake",
    "kept", "learner", "mend", "mended", "nowhere", "race", "recalled", "replay", "seen", "strange",
    "strangeness", "stranger", "strangers", "sure", "sureness", "telling", "told", "torn", "twin", "vault",
    "verdict", "wish", "wishes", "withheld", "wording", "division",
}
# fmt: on
# Never in a message or on a page, where plain English may say kept, seen or sure.
NOT_IN_MESSAGES = re.compile(
    r"\b(certificates?|clutter|intake|likewise|mend(s|ed)?|sureness|strangers?|vault|verdicts?(?!\.json)|wish(es)?)\b",
    re.IGNORECASE,
)
NOT_IN_DOCSTRINGS = re.compile(r"\b(likewise|see there|which is said)\b", re.IGNORECASE)
SOURCES = sorted(path for top in ("darkroom", "serving", "stages", "flows") for path in (ROOT / top).rglob("*.py"))


def words(name: str) -> set[str]:
    """`split_wish` and `SplitWish` → split, wish."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The names in a module: what it imports, classes, functions, arguments, variables, attributes."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield line, node.name
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield line, node.arg
        elif isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.alias):
            yield line, node.name


def strings(tree: ast.AST) -> Iterator[tuple[int, str, bool]]:
    """Every string, and whether it stands alone, as docstrings do."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value, id(node) in alone


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_no_name_has_a_word_that_the_glossary_replaced() -> None:
    found = []
    for path in SOURCES:
        given = [(0, path.stem), *names(ast.parse(path.read_bytes()))]
        found += [f"{place(path, line)} {name}" for line, name in given if words(name) & NOT_IN_NAMES]
    assert not found, "\n".join(["these names have words that the glossary replaced:", *dict.fromkeys(found)])


def test_no_message_or_docstring_has_one() -> None:
    found = []
    for path in SOURCES:
        for line, text, alone in strings(ast.parse(path.read_bytes())):
            if bad := (NOT_IN_DOCSTRINGS if alone else NOT_IN_MESSAGES).search(text):
                found.append(f"{place(path, line)} {bad[0]!r} in {' '.join(text.split())[:80]!r}")
    assert not found, "\n".join(["these strings have words that the glossary replaced:", *found])


def test_no_page_has_one() -> None:
    found = []
    for path in sorted(path for path in (ROOT / "darkroom").rglob("*.*") if path.suffix in (".html", ".md")):
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if bad := NOT_IN_MESSAGES.search(text):
                found.append(f"{place(path, line)} {bad[0]!r} in {text.strip()[:80]!r}")
    assert not found, "\n".join(["these pages have words that the glossary replaced:", *found])
