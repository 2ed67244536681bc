"""From arguments to files, and from files to predictions: those of the evaluation, whatever is between good images."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, WebPImagePlugin

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.model.depth import Depth
from darkroom.predict import answers
from darkroom.predict.answers import Prediction, predict_files
from darkroom.predict.listing import Refusal


@pytest.fixture(scope="module")
def bundle(shipped: Path) -> Bundle:
    return load_bundle(shipped / "models/export")


def test_it_answers_test_images_as_the_evaluation_did(bundle: Bundle, shipped: Path) -> None:
    rows = pq.read_table(shipped / "reports/evaluate/predictions.parquet").to_pylist()
    paths = [shipped / "images" / row["path"] for row in rows]
    found = [each for each in predict_files(bundle, paths) if isinstance(each, Prediction)]
    assert [answer.path for answer in found] == [str(path) for path in paths]
    assert [answer.label for answer in found] == [row["predicted"] for row in rows]
    for answer, row in zip(found, rows, strict=True):
        assert list(answer.probabilities) == ["one", "zero", "été"]
        assert answer.confidence == answer.probabilities[answer.label]
        np.testing.assert_allclose(list(answer.probabilities.values()), row["probabilities"], atol=1e-5)


def test_bad_images_have_their_own_refusals_and_do_not_stop_the_others(
    bundle: Bundle, shipped: Path, tmp_path: Path
) -> None:
    good = shipped / "images/zero/00.png"
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:60])
    (tmp_path / "folder").mkdir()
    odd = ("x\0.png", "x" * 5000)
    names = [tmp_path / name for name in ("empty.png", "text.png", "nowhere.png", "cut.png", "folder", *odd)]
    earlier = Refusal("somewhere", "refused before")
    found = list(predict_files(bundle, [good, *names, earlier, good]))
    assert [isinstance(each, Prediction) for each in found] == [True, *8 * [False], True]
    assert found[0] == found[-1]
    assert found[-2] is earlier
    errors = [each.error for each in found if isinstance(each, Refusal)]
    assert errors[:3] == [
        "the file is empty",
        "not an image in a known format",
        "can't be read: No such file or directory",
    ]
    assert errors[3].startswith("damaged: ")
    assert errors[4:7] == [
        "can't be read: it is a folder",
        "can't be read: embedded null byte",
        "can't be read: File name too long",
    ]


def test_what_a_decoder_raises_over_one_image_is_its_refusal(
    bundle: Bundle, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = shipped / "images/zero/00.png", tmp_path / "bad.webp"
    Image.new("L", (8, 8)).save(bad)

    def fail(self: WebPImagePlugin.WebPImageFile) -> None:
        raise SystemError("a codec gave up")

    monkeypatch.setattr(WebPImagePlugin.WebPImageFile, "_open", fail)
    found = list(predict_files(bundle, [good, bad, good]))
    assert found[1] == Refusal(str(bad), "damaged: a codec gave up")
    assert isinstance(found[0], Prediction) and found[0] == found[2]


def test_files_of_other_than_eight_bits_are_read_by_the_rule_of_the_training_data(
    bundle: Bundle, shipped: Path, tmp_path: Path
) -> None:
    eight, full, twelve = (tmp_path / f"{name}.png" for name in ("eight", "full", "twelve"))
    values = np.asarray(Image.open(shipped / "images/zero/00.png").convert("L")).copy()
    values[0, 0] = 255
    Image.fromarray(values).save(eight)
    Image.fromarray(values.astype(np.uint16) * 257).save(full)
    Image.fromarray((values * (4095 / 255)).round().astype(np.uint16)).save(twelve)
    plain = list(predict_files(bundle, [eight, full, twelve]))
    assert isinstance(plain[0], Prediction) and isinstance(plain[1], Prediction) and isinstance(plain[2], Refusal)
    assert (plain[1].pixels == plain[0].pixels).all() and plain[1].probabilities == plain[0].probabilities
    assert plain[2].error.startswith(
        "its 16-bit values are 0 to 4,095, which are not plausible on the full scale of 0 to 65,5"
    )
    deep = replace(bundle, preprocessing=replace(bundle.preprocessing, depth=Depth("full", {"uint16": (0, 4095)})))
    found = list(predict_files(deep, [eight, full, twelve]))
    assert isinstance(found[0], Prediction) and isinstance(found[1], Refusal) and isinstance(found[2], Prediction)
    assert np.abs(found[2].pixels.astype(int) - found[0].pixels).max() <= 1
    assert found[1].error == "its 16-bit values are 0 to 65,535, and those of the data set are on a scale of 0 to 4,095"
    ranged = replace(bundle, preprocessing=replace(bundle.preprocessing, depth=Depth("range", {"uint16": (0, 812)})))
    assert list(predict_files(ranged, [eight])) == [
        Refusal(
            str(eight),
            "it has 8 bits, and the data set has 16-bit values of 0 to 812: they have no scale in common",
        )
    ]


def test_it_abstains_below_the_threshold_and_not_at_it(bundle: Bundle, shipped: Path) -> None:
    paths = sorted((shipped / "images").rglob("0*.png"))
    confidences = sorted({found.confidence for found in predict_files(bundle, paths) if isinstance(found, Prediction)})
    asked = replace(bundle, calibration=replace(bundle.calibration, threshold=confidences[3]))
    found = [each for each in predict_files(asked, paths) if isinstance(each, Prediction)]
    assert {each.confidence for each in found if each.abstains} == set(confidences[:3])
    never = replace(bundle, calibration=replace(bundle.calibration, threshold=None))
    assert not any(isinstance(each, Prediction) and each.abstains for each in predict_files(never, paths))


def test_batches_end_where_they_like(
    bundle: Bundle, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted((shipped / "images").rglob("0*.png"))
    paths.insert(4, tmp_path / "nowhere.png")
    whole = list(predict_files(bundle, paths))
    monkeypatch.setattr(answers, "BATCH", 3)
    parts = list(predict_files(bundle, paths))
    assert [found.path for found in parts] == [str(path) for path in paths]
    assert isinstance(parts[4], Refusal)
    for one, other in zip(whole, parts, strict=True):
        if isinstance(one, Prediction):
            assert isinstance(other, Prediction)
            assert one.label == other.label
            assert one.confidence == pytest.approx(other.confidence, abs=1e-5)


def test_it_reads_no_further_than_it_must(bundle: Bundle, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: a stream without end is answered as it comes."""
    asked = 0

    def endless() -> Iterator[Path]:
        nonlocal asked
        while True:
            asked += 1
            yield shipped / "images/one/00.png"

    monkeypatch.setattr(answers, "BATCH", 4)
    found = predict_files(bundle, endless())
    for _ in range(5):
        assert isinstance(next(found), Prediction)
    assert asked == 8


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_is_answered(bundle: Bundle, tmp_path: Path, mode: str) -> None:
    path = tmp_path / f"picture.{'tiff' if mode in ('CMYK', 'I;16') else 'png'}"
    Image.new(mode, (31, 17)).save(path)
    (found,) = predict_files(bundle, [path])
    assert isinstance(found, Prediction)
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_names_that_are_no_text_are_read(bundle: Bundle, shipped: Path, tmp_path: Path) -> None:
    odd = tmp_path / "b\udcff\nü.png"
    shutil.copy(shipped / "images/zero/00.png", odd)
    (found,) = predict_files(bundle, [odd])
    assert isinstance(found, Prediction)
    assert found.path == str(odd)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("'a b.png'", "leave the quotes out: no shell reads this name"),
        ('"a.png"', "leave the quotes out: no shell reads this name"),
        ("~/a.png", "only a shell reads ~: write the whole path"),
        ("a.png ", "the name begins or ends with a blank"),
        ("\ufeffa.png", "the name has an invisible character, U+FEFF"),
        ("photos/*.jpg", "only a shell reads * and ?: give the folder, or each name"),
        ("photos\\a.jpg", "folders are divided by / here"),
        ("a.png,cat", "a list has a name a line, and no columns"),
    ],
)
def test_a_name_that_is_no_file_comes_with_what_may_be_wrong_with_it(bundle: Bundle, name: str, hint: str) -> None:
    assert list(predict_files(bundle, [Path(name)])) == [
        Refusal(name, f"can't be read: No such file or directory; {hint}")
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("names.txt", "; a list of names goes to standard input: - < FILE"),
        ("photos.zip", "; an archive: unpack it, and give the folder"),
        ("photo", ""),
    ],
)
def test_a_file_that_is_no_image_comes_with_what_to_do_with_it(
    bundle: Bundle, tmp_path: Path, name: str, hint: str
) -> None:
    (tmp_path / name).write_text("a.png\n")
    (found,) = predict_files(bundle, [tmp_path / name])
    assert isinstance(found, Refusal) and found.error == f"not an image in a known format{hint}"
