"""`dvc repro` and DVC's own commands over shards that lie on the disk once, for the workspace and for DVC's cache."""

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.growing import add, make_pile

BY_HAND = ("survey", "code", "ingest", "validate", "split", "preprocess")


class Line:
    """A clone whose line runs over a small folder up to preprocess."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root, self.environment = root, environment | {"PATH": f"{root}/.venv/bin:{environment['PATH']}"}
        self.cache = root / ".dvc/cache"
        make_pile(root / "pile", 200)
        self.set("ingest", source="folder", path="pile", max_reject_fraction=0.5)
        self.set("validate", stop=[])
        self.set("train", network="small_image_net")

    def set(self, section: str, **values: object) -> None:
        params = yaml.safe_load((self.root / "params.yaml").read_text())
        params[section] |= values
        (self.root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def __call__(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def repro(self) -> str:
        printed = self("dvc", "repro", "preprocess")
        self.require_whole_cache()
        assert "WARNING" not in printed and "cache type" not in printed
        return printed

    def objects(self) -> dict[str, Path]:
        files = [file for file in (self.cache / "files/md5").rglob("*") if file.is_file()]
        return {file.parent.name + file.name: file for file in files}

    def require_whole_cache(self) -> None:
        """Each object is what its name says, and none was left half-made."""
        for name, file in self.objects().items():
            assert hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == name.removesuffix(".dir")

    def shards(self) -> list[Path]:
        return sorted((self.root / "data/ingest/shards").rglob("*.bin"))

    def shared(self) -> bool:
        inodes = {file.stat().st_ino for file in self.objects().values()}
        return {file.stat().st_ino in inodes for file in self.shards()} == {True}


@pytest.fixture
def line(make_clone: Callable[[], Path], user_environment: dict[str, str]) -> Line:
    return Line(make_clone(), user_environment)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system on this machine")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def times(root: Path) -> dict[Path, tuple[int, int]]:
    return {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in (root / "data/ingest").rglob("*.bin")}


@pytest.mark.slow
def test_shards_are_on_the_disk_once_and_no_command_changes_what_dvc_has(line: Line) -> None:
    line.repro()
    assert line.shared() and not any(name in line.repro() for name in ("'ingest':", "'preprocess':"))
    line("git", "add", "-A")
    line("git", "commit", "-q", "-m", "First")
    first, names = times(line.root), {file: file.read_bytes() for file in line.shards()}

    # Stages by hand, as root, over what DVC has.
    add(line.root / "pile", 900)
    for stage in BY_HAND:
        line("python", "-m", f"stages.{stage}")
    line.require_whole_cache()

    # DVC's own run after it; no image is opened again, and nothing is left under a third name.
    assert re.findall(r"([\d,]+) of them (?:were read|decoded)", line.repro()) == ["0", "0"]
    assert line.shared() and {file.stat().st_nlink for file in line.shards()} == {2}
    assert set(json.loads(line("dvc", "status", "--json"))) & {*BY_HAND, "select"} == {"survey", "code"}

    # Back to the first version, and on again.
    line("git", "stash", "-q")
    line("dvc", "checkout", "data/ingest")
    assert {file: file.read_bytes() for file in line.shards()} == names
    line.require_whole_cache()
    line("git", "stash", "pop", "-q")
    line.repro()
    assert len(line.shards()) >= len(first)

    # One that stops leaves what was there.
    (line.root / "pile/cat/broken too.jpg").write_bytes(b"none")
    line.set("ingest", max_reject_fraction=0.0)
    before = times(line.root)
    done = subprocess.run(["dvc", "repro", "preprocess"], cwd=line.root, env=line.environment, capture_output=True)
    assert done.returncode and times(line.root) == before
    line.require_whole_cache()


@pytest.mark.slow
def test_a_cache_on_another_disk_gets_copies_and_no_shard_is_written_again(line: Line, other_disk: Path) -> None:
    line("dvc", "cache", "dir", "--local", str(other_disk))
    line.cache = other_disk
    line.repro()
    before = times(line.root)
    assert before and not line.shared()
    shutil.copy(line.root / "pile/owl/0002.png", line.root / "pile/owl/again.png")
    line.set("ingest", max_reject_fraction=0.4)
    line.repro()
    # One shard ends the only range; with the copy in it another one is written, as without DVC.
    assert len(times(line.root)) == len(before) and {file.stat().st_nlink for file in line.shards()} == {1}
