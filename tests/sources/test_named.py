"""The data sets that have a name; Fashion-MNIST from Debian's files, with torchvision's checksums."""

import gzip
import io
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darkroom.errors import DarkroomError
from darkroom.sources import fashion_mnist
from darkroom.sources.named import list_source


def test_digits_are_the_ones_scikit_learn_has() -> None:
    listing = list_source("digits", Path("nowhere"))
    assert len(listing.images) == 1797
    assert listing.classes == tuple("0123456789")
    assert np.asarray(Image.open(io.BytesIO(listing.images[0].read()))).shape == (8, 8)
    assert listing.images[0].label == "0"


def test_the_header_that_debian_dropped_is_put_back() -> None:
    content = gzip.compress(b"pixels", mtime=0)
    restored = fashion_mnist._with_gzip_header("t10k-labels-idx1-ubyte.gz", content)
    assert gzip.decompress(restored) == b"pixels"
    assert restored[4:8] == struct.pack("<I", 1504176627)
    assert restored[10:34] == b"t10k-labels-idx1-ubyte\0" + content[10:11]


def test_without_any_network_the_offline_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", Path("nowhere/at/all"))

    def refuse(*arguments: object, **named: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(fashion_mnist, "_download", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(DarkroomError, match=r'make run SET="ingest\.source=digits"'):
        list_source("fashion-mnist", Path())
    assert not (tmp_path / "darkroom" / "fashion-mnist").exists()


def test_fashion_mnist_where_it_is_cached() -> None:
    if not (fashion_mnist.cache_folder() / "fashion-mnist").exists():
        pytest.skip("needs Fashion-MNIST, which `make run` fetches")
    listing = list_source("fashion-mnist", Path())
    assert len(listing.images) == 70_000
    assert sum(image.split == "test" for image in listing.images) == 10_000
    assert listing.classes[0] == "T-shirt/top"
    assert listing.images == sorted(listing.images, key=lambda image: image.path)
