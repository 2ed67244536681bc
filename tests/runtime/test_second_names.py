"""Second names of an output: it comes back after DVC removed it, and DVC's cache names its files in place of copies of them."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from darkroom.runtime.second_names import NAMES, bring_back, name_again, share_with_dvc

OUTPUT = Path("data/ingest")
SHARD, TABLE = OUTPUT / "shards/ab/one.bin", OUTPUT / "manifest/one.parquet"
TYPES = "reflink,copy,hardlink"


@pytest.fixture
def ingested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Path, Path]:
    """An output in the current folder, as DVC leaves it: each file, with the copy in the cache."""
    monkeypatch.chdir(tmp_path)
    for file in (SHARD, TABLE):
        file.parent.mkdir(parents=True)
        file.write_text(f"content of {file.name}")
    return commit(Path(".dvc/cache"))


def commit(cache: Path, types: str = TYPES, local: str = "") -> dict[Path, Path]:
    """What DVC does when the stage has ended; the copies are younger than the files."""

    def add(content: bytes) -> str:
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        target = place(md5)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.write_bytes(content)
            target.chmod(0o444)
        return md5

    def place(md5: str) -> Path:
        return cache / "files/md5" / md5[:2] / md5[2:]

    files = {file: add(file.read_bytes()) for file in (SHARD, TABLE)}
    entries = [{"md5": md5, "relpath": str(file.relative_to(OUTPUT))} for file, md5 in files.items()]
    listing = add(json.dumps(entries).encode())
    place(listing).rename(place(f"{listing}.dir"))
    out = f"{{path: data/ingest, hash: md5, md5: {listing}.dir}}"
    Path("dvc.lock").write_text(f"stages: {{survey: {{cmd: x}}, ingest: {{cmd: x, outs: [{out}]}}}}")
    Path(".dvc").mkdir(exist_ok=True)
    Path(".dvc/config").write_text(
        f'[core]\n    analytics = false\n[cache]\n    type = "{types}"\n[\'remote "near"\']\n'
    )
    Path(".dvc/config.local").write_text(local)
    return {file: place(md5) for file, md5 in files.items()}


def marks(folder: Path) -> set[tuple[str, int, int]]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {(str(file.relative_to(folder)), file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def test_an_output_comes_back_as_it_was_and_its_files_have_one_name(ingested: dict[Path, Path]) -> None:
    before = marks(OUTPUT)
    name_again(OUTPUT)
    assert marks(NAMES / "ingest") == before
    shutil.rmtree(OUTPUT)
    # A run that was killed before the stage began.
    name_again(OUTPUT)
    bring_back(OUTPUT)
    assert marks(OUTPUT) == before and SHARD.stat().st_nlink == 1
    # DVC left it in place, as where the stage is run by hand: no second name is left.
    name_again(OUTPUT)
    bring_back(OUTPUT)
    assert marks(OUTPUT) == before and SHARD.stat().st_nlink == 1


def test_names_are_those_of_the_last_run_and_nothing_comes_back_where_there_are_none(
    ingested: dict[Path, Path],
) -> None:
    name_again(OUTPUT)
    TABLE.rename(TABLE.with_stem("two"))
    name_again(OUTPUT)
    assert marks(NAMES / "ingest") == marks(OUTPUT)
    shutil.rmtree(OUTPUT)
    shutil.rmtree(NAMES)
    bring_back(OUTPUT)
    assert not OUTPUT.exists()


def test_an_output_on_another_disk_comes_back_with_its_times(
    ingested: dict[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refuse(*names: object) -> None:
        raise OSError

    def of_one_disk(path: Path, target: Path) -> Path:
        if path == NAMES / "ingest":
            raise OSError
        return rename(path, target)

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "rename", of_one_disk)
    before = {(name, time) for name, _, time in marks(OUTPUT)}
    name_again(OUTPUT)
    shutil.rmtree(OUTPUT)
    bring_back(OUTPUT)
    assert {(name, time) for name, _, time in marks(OUTPUT)} == before and not (NAMES / "ingest").exists()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_cache_names_shards_in_place_of_copies_and_copies_of_all_else(
    ingested: dict[Path, Path], tmp_path: Path, elsewhere: bool
) -> None:
    if elsewhere:
        ingested = commit(tmp_path / "stored", local="[cache]\n    dir = ../stored\n")
    before = marks(OUTPUT)
    share_with_dvc(OUTPUT, "shards")
    assert ingested[SHARD].samefile(SHARD) and not ingested[TABLE].samefile(TABLE)
    assert marks(OUTPUT) == before and SHARD.stat().st_mode & 0o777 == 0o444
    share_with_dvc(OUTPUT, "shards")
    assert SHARD.stat().st_nlink == 2 and len(list(ingested[SHARD].parent.iterdir())) == 1


def test_what_may_be_another_file_or_would_be_undone_stays_a_copy(
    ingested: dict[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*names: object) -> None:
        raise OSError

    # Written after DVC copied it.
    os.utime(SHARD)
    share_with_dvc(OUTPUT, "shards")
    assert not ingested[SHARD].samefile(SHARD)
    os.utime(SHARD, ns=(0, 0))
    # The user has DVC copy alone, or make links of its own.
    for types in ("copy", "symlink"):
        commit(Path(".dvc/cache"), types)
        share_with_dvc(OUTPUT, "shards")
        assert not ingested[SHARD].samefile(SHARD)
    commit(Path(".dvc/cache"))
    with monkeypatch.context() as without_links:
        without_links.setattr(os, "link", refuse)
        share_with_dvc(OUTPUT, "shards")
        assert not ingested[SHARD].samefile(SHARD)
    # The cached object is another user's.
    with monkeypatch.context() as without_rights:
        without_rights.setattr(Path, "chmod", refuse)
        share_with_dvc(OUTPUT, "shards")
        assert not ingested[SHARD].samefile(SHARD) and len(list(ingested[SHARD].parent.iterdir())) == 1
    # Of the version that `dvc.lock` has the shard is another one, of the same length.
    content = SHARD.read_bytes()
    SHARD.write_bytes(content[::-1])
    os.utime(SHARD, ns=(0, 0))
    share_with_dvc(OUTPUT, "shards")
    assert not ingested[SHARD].samefile(SHARD) and ingested[SHARD].read_bytes() == content
    ingested[SHARD].unlink()
    share_with_dvc(OUTPUT, "shards")
    Path("dvc.lock").unlink()
    share_with_dvc(OUTPUT, "shards")
    assert SHARD.stat().st_nlink == 1
