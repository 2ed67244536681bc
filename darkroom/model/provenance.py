"""Which data, which code and which packages stand behind a number."""

import ast
import hashlib
import re
from pathlib import Path

ROOMS = ("darkroom", "stages", "flows", "serving")
TEMPLATES = Path("darkroom/drawing/templates")


def import_closure(module: Path, root: Path = Path()) -> list[str]:
    """The files of this repository that running `module` reaches, itself included.

    Args:
        module: a Python file, relative to `root`.
        root: the root of the repository.

    Returns:
        Sorted POSIX paths relative to `root`. Imports inside functions count: they run too. Packages on the way count
        with their `__init__.py`, and page templates count where a module or another template names them.
    """
    found: set[str] = set()
    open_files = [module]
    while open_files:
        path = open_files.pop()
        if path.as_posix() in found:
            continue
        found.add(path.as_posix())
        text = (root / path).read_text(encoding="utf-8")
        open_files += _named_templates(text, root)
        if path.suffix == ".py":
            open_files += [file for name in _imported_names(text) for file in _files_of(name, root)]
            open_files += [
                parent / "__init__.py" for parent in path.parents if (root / parent / "__init__.py").exists()
            ]
    return sorted(found)


def _named_templates(text: str, root: Path) -> list[Path]:
    names = re.findall(r"""['"]([\w.-]+)['"]""", text)
    return [TEMPLATES / name for name in names if (root / TEMPLATES / name).is_file()]


def _imported_names(source: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from darkroom.images import decode` may name a module, `from darkroom.settings.sections import Params` a thing.
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] in ROOMS]


def _files_of(name: str, root: Path) -> list[Path]:
    base = Path(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return [path for path in candidates if (root / path).is_file()]


def code_version(stage: str) -> str:
    """12 hex digits of the SHA-256 over the code that `stages/<stage>.py` reaches: the same code gives the same version."""
    digest = hashlib.sha256()
    for path in import_closure(Path("stages") / f"{stage}.py"):
        digest.update(path.encode() + b"\0" + Path(path).read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def data_version(ingest: Path, splits: Path) -> str:
    """12 hex digits of the SHA-256 over the manifest and the split table: any image, label or split moved changes it.

    Args:
        ingest: the folder that the ingest stage wrote. Its manifest lies in parts, taken in the order of their names; a
            manifest in one file, as it was first, counts as one part.
        splits: the table of the split stage.
    """
    digest = hashlib.sha256()
    parts = sorted(ingest.glob("manifest/*.parquet")) or [ingest / "manifest.parquet"]
    for path in (*parts, splits):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
