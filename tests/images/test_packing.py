"""Ranges of packed images: those that did not change are left alone, and all together are what one range would be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from darkroom.images.pack import load_packed
from darkroom.images.packed import PackedImages
from darkroom.runtime import cuts
from tests.conftest import ROOT
from tests.support.growing import add, count_openings, make_pile, outputs, require_as_from_nothing, run_line
from tests.support.packed import read_images

SPLITS = ("train", "validation", "test")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `pile` of images and a root, after a run that packed ranges of some twenty."""
    monkeypatch.setattr(cuts, "WINDOW", 8)
    monkeypatch.setattr("darkroom.sources.file_hashes.SETTLED", -1)
    run_line("folder", make_pile(tmp_path / "pile", 200), tmp_path / "root")
    return tmp_path


def files(root: Path) -> dict[str, int]:
    """The inode of each range's file."""
    found = (root / "data/preprocess").glob("*/*.npy")
    return {
        f"{path.parent.name}/{path.name}": path.stat().st_ino for path in found if path.stem not in ("labels", "ids")
    }


def test_only_ranges_that_changed_are_written(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(place / "root")
    assert len(before) > 8
    new = add(place / "pile", 1001)
    opened = count_openings(monkeypatch)
    capsys.readouterr()
    run_line("folder", place / "pile", place / "root")
    after = files(place / "root")
    changed = [file for file, inode in after.items() if before.get(file) != inode]
    assert 1 <= len(changed) <= 2 and f"; {len(changed)} of {len(after)} files packed" in capsys.readouterr().out
    assert len(opened.decoded) == 2 and new.name in opened.hashed and not any(".npy" in name for name in opened.hashed)
    require_as_from_nothing("folder", place / "pile", place / "root", place / "anew")


def test_ranges_together_are_what_one_range_is(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    several = {split: load_packed(place / "root/data/preprocess" / split) for split in SPLITS}
    monkeypatch.setattr(cuts, "WINDOW", 5_000)
    run_line("folder", place / "pile", place / "one")
    assert len(files(place / "one")) == 3
    for split, packed in several.items():
        one = load_packed(place / "one/data/preprocess" / split)
        assert isinstance(packed.images, PackedImages) and packed.images.shape == one.images.shape
        assert np.array_equal(packed.images[:], one.images[:])
        assert np.array_equal(packed.labels, one.labels) and np.array_equal(packed.ids, one.ids)
    stats = [(place / root / "data/preprocess/stats.json").read_bytes() for root in ("root", "one")]
    assert stats[0] == stats[1]


@pytest.mark.parametrize("content", [b"", b"x" * 1000])
def test_a_damaged_range_is_packed_again(content: bytes, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = sorted(files(place / "root"))[0]
    path = place / "root/data/preprocess" / file
    path.write_bytes(content or bytes(path.stat().st_size))
    capsys.readouterr()
    run_line("folder", place / "pile", place / "root")
    assert f"{path} is damaged" in capsys.readouterr().out
    require_as_from_nothing("folder", place / "pile", place / "root", place / "anew")


def test_a_range_that_is_gone_is_packed_again(place: Path) -> None:
    before = outputs(place / "root")
    shutil.rmtree(place / "root/data/preprocess/train")
    run_line("folder", place / "pile", place / "root")
    assert outputs(place / "root") == before


def test_packed_images_are_indexed_as_an_array_is(place: Path) -> None:
    folder = place / "root/data/preprocess/train"
    packed, whole = load_packed(folder).images, read_images(folder)
    order = np.random.default_rng(0).permutation(len(whole))[:50]
    every_seventh = np.arange(len(whole)) % 7 == 2
    for rows in (0, -1, np.int64(5), slice(3), slice(10, 70), slice(None, None, -3), order, every_seventh, slice(0)):
        assert np.array_equal(packed[rows], whole[rows])
    assert np.array_equal(packed[:, :, ::-1], whole[:, :, ::-1]) and np.array_equal(packed[4, 2:], whole[4, 2:])
    assert np.array_equal(np.stack(list(packed)), whole) and len(packed) == len(whole)
    assert isinstance(packed, PackedImages) and packed.nbytes == whole.nbytes and packed.dtype == whole.dtype
    for rows in (len(whole), -len(whole) - 1, [len(whole)]):
        with pytest.raises(IndexError):
            packed[rows]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_workers_of_a_cluster_give_the_same_bytes(name: str, package: str, place: Path) -> None:
    pytest.importorskip(package, reason=f"requirements-{name}.txt is not installed")
    program = place / "program.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from darkroom.runtime import cuts\n"
        "from tests.support.growing import run_line\n"
        "if __name__ == '__main__':\n"
        "    cuts.WINDOW = 8\n"
        "    run_line('folder', Path('pile'), Path(sys.argv[1]))\n"
    )
    environment = os.environ | {"DARKROOM_EXECUTOR": name, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, program, name], env=environment, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert outputs(place / name) == outputs(place / "root")
