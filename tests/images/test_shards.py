"""Shards give every byte back, and a new image changes only the shard that it falls in."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.images import shards
from darkroom.images.shards import ShardWriter, read_shards


def write(folder: Path, images: list[bytes]) -> list[tuple[str, int, int]]:
    writer = ShardWriter(folder)
    places = [(*writer.add(f"{index:016x}", data), len(data)) for index, data in enumerate(images)]
    writer.close()
    return places


@given(st.lists(st.binary(max_size=50), max_size=40))
def test_every_byte_comes_back(images: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "shards"
        places = write(folder, images)
        assert list(read_shards(folder, places)) == images
        assert list(read_shards(folder, places[::-1])) == images[::-1]


def test_growth_rewrites_few_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 10_000)
    chance = np.random.default_rng(0)
    images = {f"{number:04}": chance.bytes(100) for number in range(4000)}

    def contents(name: str) -> set[bytes]:
        writer = ShardWriter(tmp_path / name)
        for key in sorted(images):
            writer.add(key, images[key])
        writer.close()
        return {path.read_bytes() for path in (tmp_path / name).iterdir()}

    before = contents("before")
    images["2000a"], images["0007b"] = chance.bytes(100), chance.bytes(100)
    after = contents("after")
    assert len(before) > 20
    assert len(after - before) <= 4
