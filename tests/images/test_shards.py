"""Shards give every byte back, and a new image changes only the shard that it falls in: they end by content."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.images import shards
from darkroom.images.shards import (
    KnownImage,
    Place,
    PreviousShards,
    ShardWriter,
    read_shards,
)

NOTHING = PreviousShards(Path("nowhere"), {})


def write(folder: Path, images: dict[str, bytes | KnownImage], before: PreviousShards = NOTHING) -> ShardWriter:
    writer = ShardWriter(folder, before)
    for key, content in images.items():
        writer.add(key, content)
    writer.close()
    return writer


def places(writer: ShardWriter, images: dict[str, bytes]) -> dict[str, Place]:
    lengths = [len(content) for content in images.values()]
    return dict(zip(images, zip(writer.names, writer.offsets, lengths, strict=True), strict=True))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.bin")}


def no_reading() -> bytes:
    raise AssertionError("an image is read whose bytes are in a shard")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "LEAST", 1_000)
    monkeypatch.setattr(shards, "MOST", 6_000)


@pytest.fixture
def images() -> dict[str, bytes]:
    chance = np.random.default_rng(0)
    return {chance.bytes(8).hex(): chance.bytes(100) for _ in range(2000)}


@given(st.lists(st.binary(max_size=50), max_size=100), st.integers(0, 1 << 32))
def test_every_byte_comes_back(contents: list[bytes], seed: int) -> None:
    ids = [f"{number:016x}" for number in np.random.default_rng(seed).integers(0, 1 << 63, len(contents))]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "shards"
        writer = write(folder, dict(zip(ids, contents, strict=True)))
        listed = list(zip(writer.names, writer.offsets, map(len, contents), strict=True))
        assert list(read_shards(folder, listed)) == contents
        assert list(read_shards(folder, listed[::-1])) == contents[::-1]
        assert sorted(path.stem for path in folder.rglob("*.bin")) == sorted(Path(name).name for name in writer.marks)
    assert set(writer.marks) <= {f"{key[:2]}/{key}" for key in ids}


def test_growth_rewrites_few_shards_and_reads_no_known_image(tmp_path: Path, images: dict[str, bytes]) -> None:
    first = write(tmp_path / "before", dict(images))
    lengths = [len(content) for content in contents(tmp_path / "before").values()]
    assert 80 < len(first.marks) < 130 and sorted(lengths)[1] >= 1_000 and max(lengths) <= 6_000
    known = {key: KnownImage(place, no_reading) for key, place in places(first, images).items()}
    listed: list[tuple[str, bytes | KnownImage]] = list(known.items())
    listed.insert(1000, ("2" * 16, b"new"))
    listed.insert(7, ("7" * 16, b"new"))
    gone = listed.pop(1500)[0]
    write(tmp_path / "after", dict(listed), PreviousShards(tmp_path / "before", first.marks))
    grown = {key: images.get(key, b"new") for key, _ in listed}
    write(tmp_path / "anew", dict(grown))
    assert gone not in grown and contents(tmp_path / "after") == contents(tmp_path / "anew")
    changed = dict(contents(tmp_path / "after").items() - contents(tmp_path / "before").items())
    assert 0 < len(changed) <= 9
    same = contents(tmp_path / "after").keys() - changed.keys()
    assert all((tmp_path / "after" / name).samefile(tmp_path / "before" / name) for name in same)


def test_an_image_larger_than_a_shard_is_alone(tmp_path: Path) -> None:
    given = {"f" * 16: b"a" * 900, "e" * 16: b"b" * 9_000, "d" * 16: b"c" * 900}
    writer = write(tmp_path / "shards", dict(given))
    assert writer.names == [f"{key[:2]}/{key}" for key in given] and writer.offsets == [0, 0, 0]


def change_a_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    os.utime(path, (1, 1))  # another time than that of a moment ago, on any file system


@pytest.mark.parametrize("harm", [Path.unlink, change_a_byte])
def test_what_is_not_as_it_was_written_is_read_again(
    tmp_path: Path, images: dict[str, bytes], harm: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    first = write(tmp_path / "before", dict(images))
    where = places(first, images)
    read = []

    def again(key: str) -> bytes:
        read.append(key)
        return images[key]

    victim = first.names[1000]
    harm(tmp_path / "before" / f"{victim}.bin")
    known: dict[str, bytes | KnownImage] = {key: KnownImage(place, partial(again, key)) for key, place in where.items()}
    write(tmp_path / "after", known, PreviousShards(tmp_path / "before", first.marks))
    assert read == [key for key, (name, _, _) in where.items() if name == victim]
    write(tmp_path / "anew", dict(images))
    assert contents(tmp_path / "after") == contents(tmp_path / "anew")
    assert ("is damaged" in capsys.readouterr().out) == (tmp_path / "before" / f"{victim}.bin").exists()
