"""No stage writes through a name that it finds: whoever has a second name for an output keeps its bytes.

DVC's cache has second names where the user set `cache.type` to hard links, and trusts that nobody wrote to them; root may
write to a file that is read-only, so a stage run by hand would change what the cache holds, and nobody would see it.
"""

import contextlib
import hashlib
import shutil
from pathlib import Path

from PIL import Image

from darkroom.runtime.files import link_or_copy
from darkroom.runtime.paths import CHANGES, GROUPS, IMAGE_CACHE, INGEST, OUTPUTS, PAGES, VALIDATE_REPORTS
from darkroom.settings.validate import Validate
from stages import report, validate
from tests.support.line import run_line


def second_names(root: Path, cache: Path) -> dict[Path, str]:
    """Give each file that DVC tracks a second name that is read-only, as its cache has; SHA-256 of each."""
    outputs = [root / output for outputs in OUTPUTS.values() for output in outputs]
    files = [file for output in outputs for file in (output, *output.rglob("*")) if file.is_file()]
    found = {}
    for file in files:
        target = cache / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(file, target)
        target.chmod(0o444)
        found[target] = hashlib.sha256(target.read_bytes()).hexdigest()
    return found


def look_by_hand(root: Path) -> None:
    """The stages that `run_line` leaves out, in the root, since validate looks at the last commit of the current folder."""
    with contextlib.chdir(root):
        validate.run(
            ingest=INGEST,
            settings=Validate(),
            max_reject_fraction=0.5,
            decoder="turbo",
            cache=IMAGE_CACHE,
            out=GROUPS.parent,
            reports=VALIDATE_REPORTS,
            changes=CHANGES,
        )
        report.run(root=Path(), pages=[*PAGES, "quantize"])


def test_stages_run_by_hand_over_linked_outputs_change_nothing_behind_them(shipped: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(shipped, root)
    look_by_hand(root)
    before = second_names(root, tmp_path / "cache")
    assert {file.relative_to(tmp_path / "cache").parts[0] for file in before} == {"data", "models", "reports"}

    # Another image: nearly every output becomes another one.
    with Image.open(root / "images/one/00.png") as picture:
        picture.rotate(180).save(root / "images/one/40.png")
    # The test's own table, which is written in place.
    shutil.rmtree(root / "data/validate")
    run_line(root, previous=root / "data/split/splits.parquet")
    look_by_hand(root)

    after = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in before}
    assert after == before
    changed = [file for file in before if not file.samefile(root / file.relative_to(tmp_path / "cache"))]
    assert len(changed) > len(before) / 2
