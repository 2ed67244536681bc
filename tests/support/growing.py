"""A source that grows, and the first stages over it, with a count of what they open."""

import hashlib
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from darkroom.images import measure, pixels
from darkroom.images.decode import Decoded, decode
from darkroom.images.manifest import read_manifest
from darkroom.settings.preprocess import Preprocess
from darkroom.sources.registry import SOURCE_KINDS
from darkroom.sources.source import Location, Reader, SourceImage, SourceKind
from stages import preprocess
from tests.conftest import ingest_source
from tests.support.pictures import encoded

CLASSES = ("cat", "dog", "owl")


def picture(number: int) -> bytes:
    values = np.random.default_rng(number).integers(0, 255, (9, 10, 3), dtype=np.uint8)
    return encoded(Image.fromarray(values), "JPEG" if number % 2 else "PNG")


def make_pile(folder: Path, count: int = 300) -> Path:
    """Class folders with so many small JPEG and PNG files, two of which are damaged."""
    for number in range(count):
        add(folder, number)
    (folder / "cat/broken.jpg").write_bytes(picture(1)[:200])
    (folder / "dog/empty.png").write_bytes(b"")
    return folder


def add(folder: Path, number: int) -> Path:
    target = folder / CLASSES[number % 3] / f"{number:04}.{'jpg' if number % 2 else 'png'}"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture(number))
    return target


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return target


def run_line(kind: str, source: Path, root: Path) -> Path:
    """Survey, ingest and preprocess into a root; which split an image is in follows from its id alone."""
    folder = ingest_source(kind, source, root, 0.5)
    ids = read_manifest(folder, ["id"])["id"].to_pylist()
    splits = [("train", "train", "validation", "test")[int(name, 16) % 4] for name in ids]
    pq.write_table(pa.table({"id": ids, "split": splits}), root / "data/splits.parquet")
    preprocess.run(
        ingest=folder,
        splits=root / "data/splits.parquet",
        settings=Preprocess(size=8, channels=3),
        decoder="turbo",
        cache=root / ".darkroom/cache",
        out=root / "data/preprocess",
    )
    return root


def outputs(root: Path) -> dict[str, bytes]:
    """Every byte under data/ that the stages wrote."""
    data = root / "data"
    return {str(path.relative_to(data)): path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}


def require_as_from_nothing(kind: str, source: Path, root: Path, scratch: Path) -> None:
    """The outputs are those of a run that knows nothing."""
    shutil.rmtree(scratch, ignore_errors=True)
    assert outputs(root) == outputs(run_line(kind, source, scratch))


@dataclass
class Opened:
    """Names or SHA-256 of the images that the stages read from the source, hashed or decoded."""

    read: list[str] = field(default_factory=list)
    hashed: list[str] = field(default_factory=list)
    decoded: list[str] = field(default_factory=list)

    def clear(self) -> None:
        for one in (self.read, self.hashed, self.decoded):
            one.clear()


def count_openings(monkeypatch: pytest.MonkeyPatch) -> Opened:
    opened = Opened()
    sha256, file_digest = hashlib.sha256, hashlib.file_digest

    def counted(kind: SourceKind) -> SourceKind:
        def reader(location: Location, images: Sequence[SourceImage]) -> Reader:
            read = kind.reader(location, images)

            def counting(image: SourceImage) -> bytes:
                opened.read.append(image.path)
                return read(image)

            return counting

        return replace(kind, reader=reader)

    def decoded(data: bytes, *arguments: Any, **named: Any) -> Decoded:
        opened.decoded.append(sha256(data).hexdigest())
        return decode(data, *arguments, **named)

    def hashed(data: bytes = b"", **named: Any) -> Any:
        if data[:3] in (b"\xff\xd8\xff", b"\x89PN"):
            opened.hashed.append(sha256(data).hexdigest())
        return sha256(data, **named)

    def digested(file: Any, name: str) -> Any:
        # What is being written is no look at an image, or at what an earlier run left.
        if not file.name.endswith((".partial", "/labels.npy", "/ids.npy")):
            opened.hashed.append(Path(file.name).name)
        return file_digest(file, name)

    for name in ("folder", "zip"):
        monkeypatch.setitem(SOURCE_KINDS, name, counted(SOURCE_KINDS[name]))
    monkeypatch.setattr(measure, "decode", decoded)
    monkeypatch.setattr(pixels, "decode", decoded)
    monkeypatch.setattr(hashlib, "sha256", hashed)
    monkeypatch.setattr(hashlib, "file_digest", digested)
    return opened


def sums(contents: Sequence[bytes]) -> list[str]:
    return sorted(hashlib.sha256(content).hexdigest() for content in contents)
