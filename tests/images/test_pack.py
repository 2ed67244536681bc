"""The arrays of a split are read through one door: a file of another form is named."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from darkroom.images.pack import load_packed
from darkroom.images.packed import PackedRange, write_receipt
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash

WHOLE: dict[str, npt.NDArray[np.generic]] = {
    "images": np.zeros((3, 4, 4, 1), np.uint8),
    "labels": np.array([0, 1, 1]),
    "ids": np.array([f"{number:016x}" for number in (7, 2**64 - 1, 0)], "S16"),
}


def write(folder: Path, **changed: npt.NDArray[np.generic]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in (WHOLE | changed).items():
        np.save(folder / f"{name}.npy", values)
    write_receipt([PackedRange("images", 3, file_hash(folder / "images.npy"))], folder)
    return folder


def test_ids_are_numbers(tmp_path: Path) -> None:
    assert load_packed(write(tmp_path)).keys().tolist() == [7, 2**64 - 1, 0]


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("images", WHOLE["images"][..., 0], r"images\.npy has uint8 \[3, 4, 4\], and uint8 with 4 axes for 3 images"),
        ("images", WHOLE["images"].astype(np.float32), r"images\.npy has float32"),
        ("images", WHOLE["images"][:2], r"images\.npy has uint8 \[2, 4, 4, 1\], and uint8 with 4 axes for 3 images"),
        ("labels", np.array([0, 1]), r"labels\.npy has int64 \[2\]"),
        ("labels", np.array([0.0, 1, 1]), r"labels\.npy has float64"),
        ("labels", np.array([0, -1, 1]), r"labels\.npy has -1, which is no class"),
        ("labels", np.array(1), "unsized"),
        ("ids", np.array([b"x" * 16] * 3), r"ids\.npy has other than hex digits"),
        ("ids", np.array([b"", b"1", b"2"], "S16"), r"ids\.npy has other than hex digits"),
        ("ids", np.arange(3), r"ids\.npy has int64"),
        ("ids", np.array([{}, {}, {}], object), "Python objects in dtype"),
    ],
)
def test_arrays_of_another_form_are_named(
    name: str, values: npt.NDArray[np.generic], reason: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "data/preprocess/test", **{name: values})
    with pytest.raises(DarkroomError, match=rf"/test is damaged, .*{reason}.*`dvc repro preprocess` makes it again$"):
        load_packed(folder)
