"""A folder with a file of every format and of every fault: what is taken, what is not, and why; and damage of every kind."""

import errno
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from darkroom.images.manifest import read_manifest
from darkroom.images.pixels import read_pixels
from darkroom.images.shards import read_shards
from darkroom.sources import image_files
from tests.conftest import ingest_source
from tests.support.pictures import colour, encoded, mutated, png, seeds, turned

DEEP = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000)
GRADED = colour(24, 16)

SOUND = {
    "jpeg.jpg": encoded(GRADED, "JPEG"),
    "jpeg grey.jpeg": encoded(GRADED.convert("L"), "JPEG"),
    "jpeg cmyk.JPG": encoded(GRADED.convert("CMYK"), "JPEG"),
    "jpeg progressive.jpg": encoded(GRADED, "JPEG", progressive=True),
    "jpeg turned.jpg": encoded(GRADED, "JPEG", exif=turned(6)),
    "jpeg and more.jpg": encoded(GRADED, "JPEG") + bytes(99),
    "png.png": encoded(GRADED, "PNG"),
    "png palette.png": encoded(GRADED.quantize(16), "PNG"),
    "png alpha.png": encoded(GRADED.convert("RGBA"), "PNG"),
    "png deep.png": encoded(DEEP, "PNG"),
    "png grey.png": encoded(GRADED.convert("L"), "PNG"),
    "webp.webp": encoded(GRADED, "WEBP"),
    "webp lossless.webp": encoded(GRADED, "WEBP", lossless=True),
    "bmp.bmp": encoded(GRADED, "BMP"),
    "tiff.tif": encoded(GRADED, "TIFF"),
    "tiff deep.tiff": encoded(DEEP, "TIFF"),
    "tiff pages.tiff": encoded(GRADED, "TIFF", save_all=True, append_images=[GRADED, GRADED]),
    "gif.gif": encoded(GRADED, "GIF"),
    "gif moving.gif": encoded(GRADED, "GIF", save_all=True, append_images=[GRADED.rotate(180)]),
    "camera.jpg": encoded(GRADED, "MPO", save_all=True, append_images=[GRADED.resize((6, 4))]),
    "png in truth.jpg": encoded(colour(seed=3), "PNG"),
    "été 夏 🌞.png": encoded(colour(seed=4), "PNG"),
    "deep/er/nested.png": encoded(colour(seed=5), "PNG"),
    "line\nbreak.png": encoded(colour(seed=6), "PNG"),
}
JPEG = SOUND["jpeg.jpg"]
FAULTY = {
    "cut.jpg": (JPEG[: len(JPEG) // 2], "damaged: "),
    "cut.png": (SOUND["png.png"][:-40], "damaged: "),
    "cut.gif": (SOUND["gif.gif"][:-60], "damaged: "),
    "cut.tif": (SOUND["tiff.tif"][: len(SOUND["tiff.tif"]) // 2], ""),
    "empty.jpg": (b"", "the file is empty"),
    "text.jpg": (b"This is a note, not a picture.", "not an image in a known format"),
    "notes.txt": (b"cats", "not an image in a known format"),
    "film.mp4": (b"\0\0\0\x18ftypmp42" + bytes(40), "not an image in a known format"),
    "bomb.png": (png(100_000, 100_000, 8, 2, bytes(100)), "more than 178,956,970 pixels"),
    "long.png": (png(1 << 21, 1, 8, 0, bytes(1 << 21)), "2097152 x 1 pixels, more than 1,048,576 on one side"),
    "nothing.png": (png(1, 1, 8, 0, b"\0").replace(struct.pack(">II", 1, 1), bytes(8)), ""),
}
IGNORED = {
    "cat/Thumbs.db": "left by the system",
    "cat/.hidden.jpg": "hidden",
    "cat/.git/config": "hidden",
    "readme.txt": "not in a class folder",
    "cat/loop": "a link to a folder, not followed",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "files"
    for name, content in SOUND.items() | {(name, content) for name, (content, _) in FAULTY.items()}:
        (root / "cat" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "cat" / name).write_bytes(content)
    for name in ("cat/Thumbs.db", "cat/.hidden.jpg", "cat/.git/config", "readme.txt", "dog/only.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(colour(seed=7), "PNG"))
    (root / "cat/folder.jpg").mkdir()
    (root / "cat/loop").symlink_to(root)
    (root / "cat/circle.jpg").symlink_to("circle.jpg")
    (root / "cat/gone.jpg").symlink_to("nowhere.jpg")
    (root / "cat/link.jpg").symlink_to("jpeg.jpg")
    return root


def state(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in root.rglob("*"):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path)] = (status.st_mtime_ns, status.st_ctime_ns, status.st_mode, content)
    return found


def test_each_file_is_taken_rejected_or_ignored(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(folder)
    out = ingest_source("folder", folder, tmp_path / "root", 1.0)
    assert state(folder) == before

    manifest = read_manifest(out).to_pandas().set_index("path")
    taken = {f"cat/{name}" for name in SOUND} | {"cat/link.jpg", "dog/only.png"}
    assert set(manifest.index) == taken
    rejects = pd.read_parquet(out / "rejects.parquet").set_index("path")
    reasons = {f"cat/{name}": reason for name, (_, reason) in FAULTY.items()}
    reasons |= {
        "cat/gone.jpg": "can't be read: No such file or directory",
        "cat/circle.jpg": "can't be read: Too many levels of symbolic links",
    }
    assert set(rejects.index) == set(reasons)
    for path, reason in reasons.items():
        assert str(rejects.loc[path, "reason"]).startswith(reason) and len(str(rejects.loc[path, "reason"])) > 5, path
    assert rejects.loc["cat/text.jpg", "bytes"] == 30 and len(str(rejects.loc["cat/text.jpg", "sha256"])) == 64
    assert rejects["sha256"].isna().sum() == 2
    ignored = pd.read_parquet(out / "ignored.parquet").set_index("path")["reason"].to_dict()
    assert ignored == IGNORED
    every = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    assert taken | set(reasons) | set(ignored) == every

    for name, told_of_it in {
        "cat/jpeg cmyk.JPG": ("JPEG", "CMYK", 24, 16, 1),
        "cat/jpeg turned.jpg": ("JPEG", "RGB", 16, 24, 1),
        "cat/png deep.png": ("PNG", "I;16", 8, 8, 1),
        "cat/png palette.png": ("PNG", "P", 24, 16, 1),
        "cat/tiff pages.tiff": ("TIFF", "RGB", 24, 16, 3),
        "cat/gif moving.gif": ("GIF", "P", 24, 16, 2),
        "cat/camera.jpg": ("JPEG", "RGB", 24, 16, 1),
        "cat/png in truth.jpg": ("PNG", "RGB", 20, 10, 1),
    }.items():
        row = manifest.loc[name]
        found = (row["format"], row["mode"], row["width"], row["height"], row["frames"])
        assert found == told_of_it, name
    said = capsys.readouterr().out
    assert f"{len(taken)} images of 2 classes, {len(reasons)} rejected" in said
    assert "5 files are not counted as images" in said


def test_devices_pipes_and_files_beyond_measure_are_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert image_files.MAX_IMAGE_BYTES == 1 << 30
    monkeypatch.setattr(image_files, "MAX_IMAGE_BYTES", 1 << 20)  # a gigabyte takes ten seconds to hash
    root = tmp_path / "files"
    root.mkdir()
    for name in "ab":
        (root / f"{name}.png").write_bytes(encoded(colour(seed=ord(name)), "PNG"))
    os.mkfifo(root / "pipe.png")
    with (root / "huge.png").open("wb") as file:
        file.truncate((1 << 20) + 1)
    odd = "bad\nerror: fake\x1b[31mred.png"
    (root / odd).write_bytes(b"text")
    rows = ["a.png,x", "b.png,y", "pipe.png,x", "huge.png,y", "/dev/zero,x", f'"{odd}",y']
    (root / "table.csv").write_text("\n".join(["path,label", *rows]))
    out = ingest_source("table", root / "table.csv", tmp_path / "root", 1.0)
    rejects = pd.read_parquet(out / "rejects.parquet").set_index("path")["reason"].to_dict()
    assert rejects == {
        "/dev/zero": "can't be read: not a regular file",
        odd: "not an image in a known format",
        "huge.png": "can't be read: 1,048,577 bytes, more than 1,048,576",
        "pipe.png": "can't be read: not a regular file",
    }
    said = capsys.readouterr().out
    assert r"rejected bad\nerror: fake\x1b[31mred.png: not" in said
    assert "\x1b" not in said


def test_a_file_that_may_not_be_read_is_rejected(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Said by Python, not by the file's mode, since root may read everything.
    opens = Path.open

    def refuse(path: Path, *arguments: Any, **named: Any) -> Any:
        if path == folder / "cat/jpeg.jpg":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opens(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse)
    out = ingest_source("folder", folder, tmp_path / "root", 1.0)
    rejects = pd.read_parquet(out / "rejects.parquet").set_index("path")
    assert rejects.loc["cat/jpeg.jpg", "reason"] == "can't be read: Permission denied"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("start", [0, 1000])
def test_of_a_thousand_damaged_files_none_is_lost(start: int, tmp_path: Path) -> None:
    """Each becomes a row or a reject with a reason, and each row can be packed. Together they are two thousand."""
    # Damage turns the values of a TIFF into floats, and these stop a data set of 8 bits: tests/fuzz has them, one by one.
    sound = [each for each in seeds() if each[:4] not in (b"II*\0", b"MM\0*")]
    with zipfile.ZipFile(tmp_path / "damaged.zip", "w") as archive:
        for number in range(start, start + 1000):
            archive.writestr(f"{'ab'[number % 2]}/{number:04}.jpg", mutated(number, sound))
    out = ingest_source("zip", tmp_path / "damaged.zip", tmp_path / "root", 1.0)
    manifest, rejects = read_manifest(out), pd.read_parquet(out / "rejects.parquet")
    taken = manifest["path"].to_pylist()
    assert sorted([*taken, *rejects["path"]]) == [f"{c}/{n:04}.jpg" for c in "ab" for n in range(start, start + 1000)
                                                  if "ab"[n % 2] == c]  # fmt: skip
    assert 100 < len(taken) < 900
    assert all(reason.isprintable() and len(reason) > 5 for reason in rejects["reason"])
    places = zip(*(manifest[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True)
    for data, width in zip(read_shards(out / "shards", places), manifest["width"].to_pylist(), strict=True):
        assert width > 0
        assert read_pixels(data, 8, 3, "crop", "turbo").shape == (8, 8, 3)
