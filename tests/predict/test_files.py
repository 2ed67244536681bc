"""Which files a command line names."""

import io
import os
from pathlib import Path

from darkroom.predict.answers import Refusal
from darkroom.predict.files import list_images


def listed(*names: object, stdin: bytes = b"") -> list[Path | Refusal]:
    return list(list_images([str(name) for name in names], io.BytesIO(stdin)))


def test_files_are_listed_as_they_are_named_whether_they_exist_or_not() -> None:
    assert listed("b.png", "a.png", "b.png") == [Path("b.png"), Path("a.png"), Path("b.png")]


def test_of_a_folder_every_file_that_may_be_an_image_sorted(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.JPG", "a.webp", "notes", ".hidden.png", ".git/x.png", "b/Thumbs.db", "@eaDir/a.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link").symlink_to("b")
    assert listed(tmp_path) == [
        Refusal(str(tmp_path / "link"), "a link to a folder, not followed"),
        Refusal(str(tmp_path / "pipe.png"), "a pipe, a socket or a device"),
        *(tmp_path / name for name in ("a.webp", "b/1.JPG", "b/2.png", "notes")),
    ]


def test_names_that_are_empty_or_too_long_are_no_folder() -> None:
    refusal, path = listed("", "x" * 5000)
    assert isinstance(refusal, Refusal) and refusal.error.startswith("an empty name")
    assert path == Path("x" * 5000)


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    assert listed(tmp_path) == [Refusal(str(tmp_path), "the folder holds no image")]


def test_a_list_on_standard_input_may_name_files_and_folders_in_any_bytes(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    stdin = b"x y.png\r\n\n-\n" + os.fsencode(tmp_path) + b"\n\xff.png"
    found = listed("first.png", "-", "last.png", stdin=stdin)
    expected = ["first.png", "x y.png", str(tmp_path / "1.png"), "\udcff.png", "last.png"]
    assert found == [Path(name) for name in expected]


def test_a_list_without_images_is_told() -> None:
    assert listed("-", stdin=b"\n-\n") == [Refusal("-", "the list on standard input names no image")]


def test_a_list_is_read_as_it_comes() -> None:
    class Slow(io.BytesIO):
        def __next__(self) -> bytes:
            line = super().__next__()
            assert line != b"never\n", "read too far"
            return line

    found = list_images(["-"], Slow(b"one.png\nnever\n"))
    assert next(found) == Path("one.png")
