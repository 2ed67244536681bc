"""Write a hash of the code that each stage reaches; every stage depends on its own.

Reads: the modules, templates and style sheets of this repository.
Writes: data/code/: a file for each stage, which no comment, docstring or line break changes.
Costs: half a second. DVC runs it every time, since it does not follow imports.
"""

from collections.abc import Sequence
from pathlib import Path

from darkroom.runtime import paths
from darkroom.runtime.closure import Code
from darkroom.runtime.files import whole_folder
from darkroom.runtime.stage import stage


def run(*, stages: Sequence[str], out: Path) -> None:
    """Hash the code of some stages.

    Args:
        stages: their names.
        out: the folder to write.
    """
    code = Code()
    with whole_folder(out) as folder:
        for name in stages:
            (folder / name).write_text(f"{code.version(name)}\n", encoding="utf-8")


def main() -> None:
    with stage("code"):
        # Those that run every time need none.
        run(stages=[name for name in paths.INPUTS if name not in ("survey", "code")], out=paths.CODE)


if __name__ == "__main__":
    main()
