"""From arguments and lists to files: every name is a path or has its reason."""

import io
import os
from pathlib import Path

import pytest

from darkroom.predict import listing
from darkroom.predict.listing import Refusal, list_images
from darkroom.runtime.errors import DarkroomError


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


def test_a_folder_without_images_is_reported(tmp_path: Path) -> None:
    assert listed(tmp_path) == [Refusal(str(tmp_path), "the folder holds no image")]


def test_a_list_on_standard_input_may_name_files_and_folders_in_any_bytes(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    stdin = b"x y.png\r\n\n  \n" + os.fsencode(tmp_path) + b"\n\xff.png"
    found = listed("first.png", "-", "last.png", stdin=stdin)
    expected = ["first.png", "x y.png", str(tmp_path / "1.png"), "\udcff.png", "last.png"]
    assert found == [Path(name) for name in expected]


def test_a_list_without_images_is_reported() -> None:
    assert listed("-", stdin=b"\n\r\n \n") == [Refusal("-", "the list on standard input names no image")]


def test_a_list_is_read_as_it_comes() -> None:
    class Slow(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            assert line != b"never\n", "read too far"
            return line

    found = list_images(["-"], Slow(b"one.png\nnever\n"))
    assert next(found) == Path("one.png")


def test_the_mark_at_the_beginning_of_a_list_is_none_of_its_name() -> None:
    assert listed("-", stdin="\ufeffone.png\r\ntwo.png\r\n".encode()) == [Path("one.png"), Path("two.png")]


@pytest.mark.parametrize(
    ("stdin", "reason"),
    [
        ("a.png\n".encode("utf-16"), "it is text in UTF-16: save it in UTF-8, a name a line"),
        (b"\xff\xd8\xff\xe0\0\n\x10JFIF", "it is an image: give its path in place of -"),
        (b"\x89PNG\r\n\x1a\n\0\0", "it is an image: give its path in place of -"),
        (b"PK\x03\x04\n", "it is an archive: unpack it, and give the folder"),
        (b"x" * 70_000, "line 1 has no end within 65,536 bytes"),
    ],
)
def test_what_is_no_list_is_named_once(stdin: bytes, reason: str) -> None:
    assert listed("-", stdin=stdin) == [Refusal("-", f"standard input is no list of names: {reason}")]


def test_names_divided_by_zeros_are_named_and_other_lines_are_read() -> None:
    first, second = listed("-", stdin=b"a.png\0b.png\0\nc.png")
    assert first == Refusal(
        "-", "line 1 of the list has bytes of zero: write a name a line, in UTF-8, as `find` does without -print0"
    )
    assert second == Path("c.png")


def test_a_list_can_not_name_itself() -> None:
    reason = "line 2 of the list is -, which no list can hold: write ./- for a file of that name"
    assert listed("-", stdin=b"a.png\n-\n") == [Path("a.png"), Refusal("-", reason)]


def test_a_url_is_named_and_keeps_its_slashes() -> None:
    assert listed("https://example.org/a.png", "-", stdin=b"file:///a.png\n") == [
        Refusal("https://example.org/a.png", "a URL, and only files are read: fetch it first, and give its path"),
        Refusal("file:///a.png", "a URL, and only files are read: give its path"),
    ]


def test_a_folder_that_can_not_be_listed_is_reported_and_the_others_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise DarkroomError(f"the folder {folder} can't be listed: Permission denied")

    monkeypatch.setattr(listing, "walk", refuse)
    assert listed(tmp_path, "a.png") == [
        Refusal(str(tmp_path), f"the folder {tmp_path} can't be listed: Permission denied"),
        Path("a.png"),
    ]
