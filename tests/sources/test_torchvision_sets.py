"""The data sets that have a name, from small files in the real formats under checksums of their own."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from darkroom.runtime.cache_folder import cache_folder
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.vision import torchvision
from darkroom.sources import fetching
from darkroom.sources.registry import SOURCE_KINDS
from tests.support.listed import Source, listed

GREY = {"mnist": torchvision.datasets.MNIST, "fashion-mnist": torchvision.datasets.FashionMNIST}
COLOUR = {"cifar10": torchvision.datasets.CIFAR10, "cifar100": torchvision.datasets.CIFAR100}
GENERATOR = np.random.default_rng(0)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def idx(values: npt.NDArray[np.uint8]) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def write_grey(root: Path, dataset: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, npt.NDArray[np.uint8]]:
    """Six training and three test pictures, packed, under torchvision's names and the checksums that they have."""
    raw = root / dataset.__name__ / "raw"
    raw.mkdir(parents=True)
    arrays = {}
    resources = []
    for part, count in (("train", 6), ("t10k", 3)):
        arrays[f"{part}-images-idx3-ubyte"] = GENERATOR.integers(0, 256, (count, 28, 28), np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = np.arange(count, dtype=np.uint8)
    for name, values in arrays.items():
        packed = gzip.compress(idx(values))
        (raw / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", md5(packed)))
    monkeypatch.setattr(dataset, "resources", resources)
    return arrays


def write_colour(root: Path, dataset: Any, monkeypatch: pytest.MonkeyPatch) -> npt.NDArray[np.uint8]:
    """The pickles of a CIFAR set with three pictures each, unpacked and in their archive; gives the test pictures."""
    folder = root / dataset.base_folder
    folder.mkdir(parents=True)
    lists: dict[str, list[tuple[str, str]]] = {"train_list": [], "test_list": []}
    pixels = np.zeros((0, 3072), np.uint8)
    for attribute, files in lists.items():
        for name, _ in getattr(dataset, attribute):
            pixels = GENERATOR.integers(0, 256, (3, 3072), np.uint8)
            fine = {"coarse_labels": [9, 9, 9], "fine_labels": [0, 1, 2]}
            labels = {"labels": [0, 1, 2]} if dataset.__name__ == "CIFAR10" else fine
            (folder / name).write_bytes(pickle.dumps({"data": pixels, **labels}))
            files.append((name, md5((folder / name).read_bytes())))
        monkeypatch.setattr(dataset, attribute, files)
    meta = pickle.dumps({dataset.meta["key"]: ["apple", "bear", "crab"], "coarse_label_names": ["fruit"]})
    (folder / dataset.meta["filename"]).write_bytes(meta)
    monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": md5(meta)})
    with tarfile.open(root / dataset.filename, "w:gz") as archive:
        archive.add(folder, dataset.base_folder)
    monkeypatch.setattr(dataset, "tgz_md5", md5((root / dataset.filename).read_bytes()))
    return pixels


def torchvision_set(name: str, root: Path | None) -> Source:
    return listed(SOURCE_KINDS[name], Path("nowhere"), root=root)


def pixels_of(listing: Source, path: str) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(listing.bytes_of(path))))


def state(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in root.rglob("*")}


@pytest.mark.parametrize("name", GREY)
@pytest.mark.parametrize("how", ["packed", "unpacked", "beside"])
def test_grey_sets_from_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str) -> None:
    dataset = GREY[name]
    arrays = write_grey(tmp_path, dataset, monkeypatch)
    raw = tmp_path / dataset.__name__ / "raw"
    for file in list(raw.iterdir()):
        if how == "unpacked":
            (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
            file.unlink()
        if how == "beside":
            file.rename(tmp_path / file.name)
    before = state(tmp_path)
    listing = torchvision_set(name, tmp_path)
    assert state(tmp_path) == before
    assert listing.classes == tuple(dataset.classes)
    assert [(image.path, image.split) for image in listing.images] == [
        *((f"test/{index:05}.png", "test") for index in range(3)),
        *((f"train/{index:05}.png", "train") for index in range(6)),
    ]
    assert listing.images[4].label == dataset.classes[1]
    np.testing.assert_array_equal(pixels_of(listing, "train/00004.png"), arrays["train-images-idx3-ubyte"][4])


def test_a_copy_whose_labels_changed_since_the_survey_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_grey(tmp_path, GREY["mnist"], monkeypatch)
    found = torchvision_set("mnist", tmp_path)
    raw = tmp_path / "MNIST/raw"
    (raw / "train-labels-idx1-ubyte.gz").unlink()
    (raw / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(6, np.uint8)))
    with pytest.raises(DarkroomError, match=r"the copy of mnist changed after the survey.*remove \.darkroom/cache"):
        found.read(found.images[0])


@pytest.mark.parametrize("name", COLOUR)
@pytest.mark.parametrize("how", ["packed", "unpacked"])
def test_colour_sets_from_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str) -> None:
    dataset = COLOUR[name]
    pixels = write_colour(tmp_path, dataset, monkeypatch)
    if how == "packed":
        for file in (tmp_path / dataset.base_folder).iterdir():
            file.unlink()
        (tmp_path / dataset.base_folder).rmdir()
    else:
        (tmp_path / dataset.filename).unlink()
    before = state(tmp_path)
    listing = torchvision_set(name, tmp_path)
    assert state(tmp_path) == before
    assert listing.classes == ("apple", "bear", "crab")
    assert len(listing.images) == 3 * (len(dataset.train_list) + 1)
    assert [image.label for image in listing.images[:3]] == ["apple", "bear", "crab"]
    expected = pixels[1].reshape(3, 32, 32).transpose(1, 2, 0)
    np.testing.assert_array_equal(pixels_of(listing, "test/00001.png"), expected)


class Trap:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["TRAP"],)


@pytest.mark.parametrize("name", COLOUR)
def test_nothing_unchecked_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    dataset = COLOUR[name]
    write_colour(tmp_path, dataset, monkeypatch)
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    (tmp_path / dataset.filename).write_bytes(b"another archive")
    for file in sorted((tmp_path / dataset.base_folder).iterdir()):
        whole = file.read_bytes()
        file.write_bytes(pickle.dumps(Trap()))
        with pytest.raises(DarkroomError, match=r"not all there with the MD5.*not the file that torchvision knows"):
            torchvision_set(name, tmp_path)
        file.write_bytes(whole)
    assert not (tmp_path / "sprung").exists()


def test_copies_that_are_not_whole_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_grey(tmp_path, GREY["mnist"], monkeypatch)
    raw = tmp_path / "MNIST/raw"
    with pytest.raises(DarkroomError, match=r"there is no folder .*nowhere: ingest\.root must"):
        torchvision_set("mnist", tmp_path / "nowhere")
    with pytest.raises(DarkroomError, match=r"cifar-10-python\.tar\.gz is not there"):
        torchvision_set("cifar10", tmp_path)
    packed = (raw / "t10k-labels-idx1-ubyte.gz").read_bytes()
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"others"))
    with pytest.raises(DarkroomError, match=r"t10k-labels-idx1-ubyte\.gz has the MD5 .*torchvision knows MNIST's as"):
        torchvision_set("mnist", tmp_path)
    (raw / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DarkroomError, match=r"contains neither t10k-labels-idx1-ubyte\.gz nor t10k-labels-idx1-ubyte:"):
        torchvision_set("mnist", tmp_path)
    (raw / "t10k-labels-idx1-ubyte").write_bytes(gzip.decompress(packed)[:-1])
    with pytest.raises(DarkroomError, match=r"t10k-labels-idx1-ubyte in .* is cut short or damaged"):
        torchvision_set("mnist", tmp_path)
    (raw / "t10k-labels-idx1-ubyte").write_bytes(idx(np.full(3, 200, np.uint8)))
    with pytest.raises(DarkroomError, match="the test labels do not go with the images"):
        torchvision_set("mnist", tmp_path)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_without_a_network_both_ways_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fetching, "_download", refuse)
    with pytest.raises(DarkroomError, match=r'SET="ingest\.root=FOLDER".*SET="ingest\.source=digits"'):
        torchvision_set(name, None)
    assert not (tmp_path / "darkroom" / name).exists()


def test_what_was_fetched_is_kept_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def download(dataset: Any, folder: Path) -> None:
        calls.append(folder)
        write_grey(folder, dataset, monkeypatch)

    monkeypatch.setattr(fetching, "_download", download)
    assert len(torchvision_set("mnist", None).images) == len(torchvision_set("mnist", None).images) == 9
    assert len(calls) == 1
    (tmp_path / "darkroom/mnist/MNIST/raw/train-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(DarkroomError, match=r"has the MD5 .*remove .*darkroom/mnist to have it fetched anew"):
        torchvision_set("mnist", None)


def refuse(*arguments: object, **named: object) -> None:
    raise OSError("no network")


def test_the_header_that_debian_dropped_is_put_back() -> None:
    content = gzip.compress(b"pixels", mtime=0)
    restored = fetching._with_gzip_header("t10k-labels-idx1-ubyte.gz", content)
    assert gzip.decompress(restored) == b"pixels"
    assert restored[4:8] == struct.pack("<I", 1504176627)
    assert restored[10:34] == b"t10k-labels-idx1-ubyte\0" + content[10:11]


def test_without_any_network_the_offline_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fetching, "DEBIAN_FOLDER", Path("nowhere/at/all"))
    monkeypatch.setattr(fetching, "_download", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(DarkroomError, match=r'nor as Debian\'s package.*make run SET="ingest\.source=digits"'):
        torchvision_set("fashion-mnist", None)
    assert not (tmp_path / "darkroom" / "fashion-mnist").exists()


def test_fashion_mnist_where_it_is_cached() -> None:
    if not (cache_folder() / "fashion-mnist").exists():
        pytest.skip("needs Fashion-MNIST, which `make run` fetches")
    listing = torchvision_set("fashion-mnist", None)
    assert len(listing.images) == 70_000
    assert sum(image.split == "test" for image in listing.images) == 10_000
    assert listing.classes[0] == "T-shirt/top"
    assert listing.images == sorted(listing.images, key=lambda image: image.path)
