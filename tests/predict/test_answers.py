"""From image files to answers: the same as the evaluation, whatever lies between good images."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.predict import answers
from darkroom.predict.answers import Answer, Refusal, predict_files


@pytest.fixture(scope="module")
def bundle(shipped: Path) -> Bundle:
    return load_bundle(shipped / "models/export")


def test_it_answers_test_images_as_the_evaluation_did(bundle: Bundle, shipped: Path) -> None:
    rows = pq.read_table(shipped / "reports/evaluate/predictions.parquet").to_pylist()
    paths = [shipped / "images" / row["path"] for row in rows]
    found = [answer for answer in predict_files(bundle, paths) if isinstance(answer, Answer)]
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
    told = Refusal("somewhere", "told before")
    found = list(predict_files(bundle, [good, *names, told, good]))
    assert [isinstance(each, Answer) for each in found] == [True, *8 * [False], True]
    assert found[0] == found[-1]
    assert found[-2] is told
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


def test_it_abstains_below_the_threshold_and_not_at_it(bundle: Bundle, shipped: Path) -> None:
    paths = sorted((shipped / "images").rglob("0*.png"))
    sure = sorted({found.confidence for found in predict_files(bundle, paths) if isinstance(found, Answer)})
    asked = replace(bundle, calibration=replace(bundle.calibration, threshold=sure[3]))
    found = [each for each in predict_files(asked, paths) if isinstance(each, Answer)]
    assert {each.confidence for each in found if each.abstains} == set(sure[:3])
    never = replace(bundle, calibration=replace(bundle.calibration, threshold=None))
    assert not any(isinstance(each, Answer) and each.abstains for each in predict_files(never, paths))


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
        if isinstance(one, Answer):
            assert isinstance(other, Answer)
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
        assert isinstance(next(found), Answer)
    assert asked == 8


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_is_answered(bundle: Bundle, tmp_path: Path, mode: str) -> None:
    path = tmp_path / f"picture.{'tiff' if mode in ('CMYK', 'I;16') else 'png'}"
    Image.new(mode, (31, 17)).save(path)
    (found,) = predict_files(bundle, [path])
    assert isinstance(found, Answer)
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_names_that_are_no_text_are_read(bundle: Bundle, shipped: Path, tmp_path: Path) -> None:
    odd = tmp_path / "b\udcff\nü.png"
    shutil.copy(shipped / "images/zero/00.png", odd)
    (found,) = predict_files(bundle, [odd])
    assert isinstance(found, Answer)
    assert found.path == str(odd)
