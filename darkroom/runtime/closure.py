"""Which code a stage reaches, and a hash of it that no comment, docstring or line break changes.

DVC does not follow imports. The stage `code` writes this hash for each stage, and each stage depends on its own.
"""

import ast
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOMS = ("darkroom", "stages", "flows", "serving")
MODULE = re.compile(rf"({'|'.join(ROOMS)})(\.\w+)+")
QUOTED = re.compile(r"""['"]([\w.-]+)['"]""")
# Fields of the syntax tree that say how something was written, not what it does.
FORM = ("ctx", "kind", "type_comment", "type_ignores")


@dataclass(frozen=True)
class _File:
    """Attributes:
    hash: of its code, or of its content where it is not Python.
    reached: the files of this repository that it imports or names, as POSIX paths.
    """

    hash: str
    reached: tuple[str, ...]


class Code:
    """The code of a repository; each file is read once."""

    def __init__(self, root: Path = Path()) -> None:
        self._root = root
        self._files: dict[str, _File] = {}
        # Templates, style sheets and tables are found by their names, wherever in a room they are.
        self._data: dict[str, list[str]] = {}
        for path in sorted((root / "darkroom").rglob("*.*")):
            if path.suffix not in (".py", ".pyc"):
                self._data.setdefault(path.name, []).append(path.relative_to(root).as_posix())

    def closure(self, module: str) -> list[str]:
        """The files that running a module reaches, itself included.

        Args:
            module: a Python file, as a POSIX path from the root of the repository.

        Returns:
            Sorted POSIX paths from the root. Imports inside functions count, since they run too, and so does a module that a
            string names (`"darkroom.checks.checker"`, run as a process). Packages on the way count with their
            `__init__.py`; templates, style sheets and data files count where a string in a reached file names them.
        """
        found: set[str] = set()
        waiting = [module]
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                waiting += self._file(path).reached
        return sorted(found)

    def version(self, stage: str) -> str:
        """12 hex digits of the SHA-256 over the code that `stages/<stage>.py` reaches: the same code gives the same version."""
        return self.version_of(f"stages/{stage}.py")

    def version_of(self, module: str) -> str:
        """As `version`, of any Python file, as a POSIX path from the root."""
        digest = hashlib.sha256()
        for path in self.closure(module):
            digest.update(f"{path} {self._file(path).hash}\n".encode())
        return digest.hexdigest()[:12]

    def _file(self, path: str) -> _File:
        if path not in self._files:
            content = (self._root / path).read_bytes()
            self._files[path] = self._python(path, content) if path.endswith(".py") else self._plain(path, content)
        return self._files[path]

    def _plain(self, path: str, content: bytes) -> _File:
        """A template names others in quotes."""
        named = QUOTED.findall(content.decode("utf-8")) if path.endswith((".html", ".md")) else []
        reached = tuple(file for name in named for file in self._data.get(name, []))
        return _File(hashlib.sha256(content).hexdigest(), reached)

    def _python(self, path: str, content: bytes) -> _File:
        nodes: list[str] = []
        names: list[str] = []
        _describe(ast.parse(content), nodes, names)
        reached = [f"{parent}/__init__.py" for parent in PurePosixPath(path).parents if parent.name]
        for name in names:
            base = name.replace(".", "/")
            reached += [f"{base}.py", f"{base}/__init__.py"] if MODULE.fullmatch(name) else self._data.get(name, [])
        there = tuple(file for file in dict.fromkeys(reached) if (self._root / file).is_file())
        return _File(hashlib.sha256("\n".join(nodes).encode()).hexdigest(), there)


def _describe(value: object, nodes: list[str], names: list[str]) -> None:
    """Write a syntax tree as words that are the same on every version of Python, without the strings that only document.

    Args:
        value: a node, a list of nodes, or a plain value.
        nodes: takes the words. Empty fields are left out, since versions differ in them.
        names: takes what may name another file: modules that are imported, and strings.
    """
    if isinstance(value, list):
        for item in value:
            _describe(item, nodes, names)
        nodes.append("]")
    elif isinstance(value, ast.AST):
        if isinstance(value, ast.JoinedStr):
            value.values = _joined(value.values)
        nodes.append(type(value).__name__)
        for field in value._fields:
            inner = getattr(value, field, None)
            if isinstance(inner, list):
                inner = [item for item in inner if not _documents(item)]
            if field not in FORM and inner is not None and inner != []:
                nodes.append(field)
                _describe(inner, nodes, names)
        nodes.append(")")
        names += _named(value)
    else:
        # Not `repr`: which characters it escapes depends on Python's table of Unicode.
        nodes.append(ascii(value))


def _documents(node: object) -> bool:
    """Whether it is a docstring, of a module, a class, a function or an attribute: a string that stands alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring strings joined; versions of Python cut them differently."""
    joined: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and joined and isinstance(joined[-1], ast.Constant):
            joined[-1] = ast.Constant(f"{joined[-1].value!s}{value.value!s}")
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            joined.append(value)
    return joined


def _named(node: ast.AST) -> list[str]:
    """The modules that an import may mean, or the last part of a path in a string."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        # `from darkroom.images import decode` may mean a module, `from darkroom.settings.read import Params` a thing.
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value.rpartition("/")[2]]
    return []
