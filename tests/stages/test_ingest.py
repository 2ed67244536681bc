"""Ingest: every file is a row or a reject, nothing is lost, and the source is left as it was."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
from PIL import WebPImagePlugin

from darkroom.duplicates.descriptors import Thumbnails
from darkroom.images.manifest import MANIFEST, REJECTS, read_manifest
from darkroom.images.shards import read_shards
from darkroom.model.depth import Depth, load_depth
from darkroom.runtime.errors import DarkroomError
from darkroom.sources import folder_survey
from darkroom.sources.file_hashes import hash_of
from tests.conftest import ingest_source
from tests.support.growing import zipped
from tests.support.pictures import encoded, smooth


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {name: content for name, (content, _, _) in snapshot(folder).items()}


def test_every_image_becomes_a_row_and_its_bytes_are_kept(digit_folder: Path, tmp_path: Path) -> None:
    before = snapshot(digit_folder)
    out = ingest_source("folder", digit_folder, tmp_path)
    assert snapshot(digit_folder) == before
    manifest = read_manifest(out)
    assert manifest.schema.equals(MANIFEST)
    rows = manifest.to_pandas()
    assert len(rows) == 120 and rows["id"].is_unique and rows["path"].is_monotonic_increasing
    places = zip(rows["shard"], rows["offset"], rows["bytes"], strict=True)
    kept = dict(zip(rows["path"], read_shards(out / "shards", places), strict=True))
    assert kept == {path: content for path, (content, _, _) in before.items()}
    first = rows.iloc[0]
    assert (first["width"], first["height"], first["mode"], first["format"], first["frames"]) == (8, 8, "L", "PNG", 1)
    assert rows["brightness"].between(0, 1).all() and rows["contrast"].between(0.01, 0.5).all()
    assert read_manifest(out, ["label", "id"]).column_names == ["label", "id"]


def test_the_same_bytes_from_every_kind_of_source(digit_folder: Path, tmp_path: Path) -> None:
    files = sorted(digit_folder.rglob("*.png"))
    paths, labels = [str(file.relative_to(digit_folder)) for file in files], [file.parent.name for file in files]
    rows = [{"bytes": file.read_bytes(), "path": path} for file, path in zip(files, paths, strict=True)]
    pq.write_table(pa.table({"image": rows, "label": labels}), tmp_path / "images.parquet", row_group_size=50)
    pq.write_table(pa.table({"path": [str(file) for file in files], "label": labels}), tmp_path / "absolute.parquet")
    copied = shutil.copytree(digit_folder, tmp_path / "copied")
    (copied / "paths.csv").write_text("path,label\n" + "".join(f"{path},{Path(path).parent}\n" for path in paths))
    expected = contents(ingest_source("folder", digit_folder, tmp_path / "folder"))
    for kind, source in (
        ("zip", zipped(digit_folder, tmp_path / "digits.zip")),
        ("tar", Path(shutil.make_archive(str(tmp_path / "plain"), "tar", digit_folder))),
        ("tar", Path(shutil.make_archive(str(tmp_path / "packed"), "gztar", digit_folder))),
        ("table", copied / "paths.csv"),
        ("table", tmp_path / "images.parquet"),
    ):
        assert contents(ingest_source(kind, source, tmp_path / source.name.replace(".", "-"))) == expected, source
    out = ingest_source("table", tmp_path / "absolute.parquet", tmp_path / "absolute")
    assert read_manifest(out, ["path", "sha256"])["path"].to_pylist() == [str(file) for file in files]


def damaged(digit_folder: Path, tmp_path: Path) -> Path:
    source = shutil.copytree(digit_folder, tmp_path / "source")
    (source / "zero/00.png").write_bytes(b"")
    (source / "one/00.png").write_bytes((source / "one/00.png").read_bytes()[:60])
    (source / "two/notes.txt").write_text("not an image")
    (source / "two/40.png").symlink_to(source / "gone.png")
    return source


def test_damaged_files_are_listed_with_their_reason(
    digit_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = damaged(digit_folder, tmp_path)
    before = {path: path.lstat().st_mtime_ns for path in source.rglob("*")}
    out = ingest_source("folder", source, tmp_path / "root", 0.05)
    assert {path: path.lstat().st_mtime_ns for path in source.rglob("*")} == before
    rejects = pd.read_parquet(out / "rejects.parquet").set_index("path")
    assert [*rejects.reset_index().columns] == REJECTS.names
    assert list(rejects.index) == ["one/00.png", "two/40.png", "two/notes.txt", "zero/00.png"]
    assert rejects.loc["zero/00.png", "reason"] == "the file is empty"
    assert str(rejects.loc["one/00.png", "reason"]).startswith("damaged")
    assert rejects.loc["two/40.png", "reason"] == "can't be read: No such file or directory"
    assert rejects.loc["two/notes.txt", "reason"] == "not an image in a known format"
    assert len(read_manifest(out)) == 118
    assert "118 images of 3 classes, 4 rejected" in capsys.readouterr().out


def test_more_damage_than_allowed_stops_with_numbers_and_writes_nothing(digit_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"4 of 122 files \(3\.3%\).*max_reject_fraction allows 1\.0%") as caught:
        ingest_source("folder", damaged(digit_folder, tmp_path), tmp_path / "root", 0.01)
    assert "zero/00.png: the file is empty" in str(caught.value)
    assert [path.name for path in (tmp_path / "root/data").iterdir()] == ["survey"]


def test_a_source_in_which_nothing_can_be_read(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "source" / name).mkdir(parents=True)
        (tmp_path / "source" / name / "a.jpg").write_bytes(b"nothing")
    out = ingest_source("folder", tmp_path / "source", tmp_path, 1.0)
    assert len(read_manifest(out)) == 0 and read_manifest(out).schema.equals(MANIFEST)
    assert len(pd.read_parquet(out / "rejects.parquet")) == 2
    assert contents(ingest_source("folder", tmp_path / "source", tmp_path, 1.0)) == contents(out)


@pytest.mark.parametrize("decoder", ["turbo", "opencv", "pillow"])
def test_all_decoders_say_the_same_of_sound_files(decoder: str, digit_folder: Path, tmp_path: Path) -> None:
    out = ingest_source("folder", digit_folder, tmp_path, 0.0, decoder)
    assert contents(out) == contents(ingest_source("folder", digit_folder, tmp_path / "turbo"))


def test_images_with_a_warning_are_counted_and_listed_each_time(
    digit_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shutil.copytree(digit_folder, tmp_path / "source")
    whole = encoded(smooth(), "JPEG")
    for number in range(4):
        (source / f"one/{number}.jpg").write_bytes(whole[:-2] + bytes(30) + whole[-2:])
    for _ in range(2):
        out = ingest_source("folder", source, tmp_path)
        assert (
            "ingest: 4 images decoded to the end with a warning, and are used: "
            "one/0.jpg (25 extraneous bytes before marker 0xd9), " in capsys.readouterr().out
        )
    assert pd.read_parquet(out / "remarks.parquet").to_dict("list") == {
        "path": [f"one/{number}.jpg" for number in range(4)],
        "remark": ["25 extraneous bytes before marker 0xd9"] * 4,
    }
    assert len(read_manifest(out)) == 124


def test_what_a_decoder_raises_over_one_image_is_a_reject(
    digit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shutil.copytree(digit_folder, tmp_path / "source")
    for number, name in enumerate(("a.webp", "b.webp")):
        (source / "one" / name).write_bytes(encoded(smooth(40 + number), "WEBP"))
    raised = iter([SystemError("a codec gave up"), MemoryError()])

    def fail(self: WebPImagePlugin.WebPImageFile) -> None:
        raise next(raised)

    with monkeypatch.context() as patched:
        patched.setattr(WebPImagePlugin.WebPImageFile, "_open", fail)
        out = ingest_source("folder", source, tmp_path, 0.1)
    assert len(read_manifest(out)) == 120
    assert sorted(pd.read_parquet(out / "rejects.parquet")["reason"]) == [
        "damaged: a codec gave up",
        "it needs more memory than there is",
    ]
    # What lacked memory is tried again in the next run; what is damaged stays so.
    assert len(read_manifest(ingest_source("folder", source, tmp_path, 0.1))) == 121


def deep_folder(root: Path, values: npt.NDArray[np.float64], kind: str) -> Path:
    """Class folders a and b with 12 TIFF files each, the first with its left half at 0, the others all over at `values`."""
    for label in ("a", "b"):
        (root / label).mkdir(parents=True)
        for number in range(12):
            picture = np.full((16, 16), values[number % len(values)])
            picture[:, :8] = values[0]
            picture[0, number] = values[-1]
            tifffile.imwrite(root / label / f"{number:02}.tif", picture.astype(kind), photometric="minisblack")
    return root


def test_files_that_may_be_on_another_scale_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = deep_folder(tmp_path / "source", np.array([0, 1000, 65535]), "u2")
    for number in range(5):
        tifffile.imwrite(source / "b" / f"{number:02}.tif", np.full((16, 16), 4095 + (number == 4), np.uint16))
    ingest_source("folder", source, tmp_path)
    assert "\ningest: depth: 4 of these have no value above a sixteenth of the highest" in capsys.readouterr().out


def test_a_deep_data_set_is_read_by_one_rule_that_is_said_and_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = deep_folder(tmp_path / "source", np.array([0, 1000, 4095]), "u2")
    out = ingest_source("folder", source, tmp_path)
    assert (
        "ingest: depth: 24 of 24 files hold 16-bit values, 0 to 4,095: read as 12-bit (0 to 4,095 becomes 0 to 255); set "
        "ingest.depth to range (0 to 4,095) or full (0 to 65,535) for another reading\n" in capsys.readouterr().out
    )
    assert load_depth(out) == Depth("full", {"uint16": (0, 4095)})
    manifest = read_manifest(out).to_pandas()
    assert list(manifest["mode"].unique()) == ["I;16"]
    # 1 pixel of 256 is white, and 127 or 128 are at 1000.
    assert manifest["brightness"][1] == pytest.approx((127.5 * round(1000 / 4095 * 255) + 255) / 256 / 255, abs=0.002)
    assert contents(ingest_source("folder", source, tmp_path)) == contents(out)


def test_a_new_range_measures_all_deep_images_again(tmp_path: Path) -> None:
    source = deep_folder(tmp_path / "source", np.array([-100, 0, 100]), "f4")
    out = ingest_source("folder", source, tmp_path)
    assert load_depth(out) == Depth("range", {"float": (-100, 100)})
    before = read_manifest(out).to_pandas().set_index("path")["brightness"]
    tifffile.imwrite(source / "a/99.tif", np.full((16, 16), 300, "f4"), photometric="minisblack")
    ingest_source("folder", source, tmp_path)
    after = read_manifest(out).to_pandas().set_index("path")["brightness"]
    assert load_depth(out) == Depth("range", {"float": (-100, 300)})
    # 0 was in the middle of the range, and is at a quarter of it.
    assert (before["b/01.tif"], after["b/01.tif"]) == (pytest.approx(0.25, abs=0.01), pytest.approx(0.13, abs=0.01))
    assert contents(ingest_source("folder", source, tmp_path / "anew")) == contents(out)


def test_eight_bits_among_values_of_another_scale_stop_ingest(digit_folder: Path, tmp_path: Path) -> None:
    source = deep_folder(tmp_path / "source", np.array([-100, 0, 100]), "f4")
    shutil.copy(digit_folder / "one/00.png", source / "a/eight.png")
    with pytest.raises(
        DarkroomError,
        match=r"24 of 25 files hold floating-point values, -100 to 100, and 1 other file has 8(.|\n)*a/eight.png \(8-bit\)$",
    ):
        ingest_source("folder", source, tmp_path)
    assert not (tmp_path / "data/ingest").exists()


def test_a_set_of_eight_bits_has_no_rule(
    digit_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ingest_source("folder", digit_folder, tmp_path, depth="range")
    assert load_depth(out) is None and not (out / "depth.json").exists()
    assert "depth" not in capsys.readouterr().out


def test_a_file_that_ingest_refuses_for_its_size_is_not_hashed(
    digit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shutil.copytree(digit_folder, tmp_path / "source")
    with (source / "one/large.tif").open("wb") as file:
        file.truncate((1 << 30) + 1)
    hashed: list[str] = []

    def remember(place: str) -> str | None:
        hashed.append(place)
        return hash_of(place)

    monkeypatch.setattr(folder_survey, "hash_of", remember)
    out = ingest_source("folder", source, tmp_path, 0.1)
    assert len(hashed) == 120 and str(source / "one/large.tif") not in hashed
    rejects = pd.read_parquet(out / "rejects.parquet")
    assert rejects["reason"].tolist() == ["can't be read: 1,073,741,825 bytes, more than 1,073,741,824"]


def test_thumbnails_follow_the_rule_of_the_data_set(tmp_path: Path) -> None:
    source = deep_folder(tmp_path / "source", np.array([-100, 0, 100]), "f4")
    out, cache = ingest_source("folder", source, tmp_path), tmp_path / ".darkroom/cache"
    manifest = read_manifest(out)
    rows = np.arange(len(manifest))
    cached = Thumbnails(out, cache, "turbo").read(rows)
    assert (cached == Thumbnails(out, tmp_path / "nowhere", "turbo").read(rows)).all()
    older = shutil.copytree(out, tmp_path / "older")
    tifffile.imwrite(source / "a/99.tif", np.full((16, 16), 300, "f4"), photometric="minisblack")
    ingest_source("folder", source, tmp_path)
    assert (cached == Thumbnails(older, cache, "turbo").read(rows)).all()


def test_a_removed_image_comes_back_by_the_rule_of_then(tmp_path: Path) -> None:
    source = deep_folder(tmp_path / "source", np.array([-100, 0, 100]), "f4")
    fixes = tmp_path / "fixes.csv"
    ingest_source("folder", source, tmp_path)
    fixes.write_text("image,action,new_label,reviewer,reason\nb/01.tif,remove,,Ann,blurred\n")
    tifffile.imwrite(source / "a/99.tif", np.full((16, 16), 300, "f4"), photometric="minisblack")
    out = ingest_source("folder", source, tmp_path, fixes=fixes)
    assert "b/01.tif" not in read_manifest(out)["path"].to_pylist()
    assert contents(ingest_source("folder", source, tmp_path)) == contents(
        ingest_source("folder", source, tmp_path / "anew")
    )
