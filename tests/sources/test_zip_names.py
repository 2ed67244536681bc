"""Names in zips: said to be in UTF-8 or not, in code pages that are found, and in those that only people know."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.class_names import list_source
from darkroom.sources.source import Listing, Location
from darkroom.sources.zip_archive import ZIP
from tests.support.listed import listed


def write_zip(
    path: Path, names: Mapping[bytes, str], utf8: bool = False, extra: Mapping[bytes, bytes] | None = None
) -> Path:
    """A zip with an entry for each name in bytes, marked as UTF-8 or not; of names in other keys, with an extra field."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number, raw in enumerate(names):
            # Stands for the name of as many bytes, which is set below: zipfile writes UTF-8 alone.
            info = zipfile.ZipInfo(f"{number:03}".ljust(len(raw), "#"))
            info.extra = (extra or {}).get(raw, b"")
            archive.writestr(info, names[raw])
    data = content.getvalue()
    for number, raw in enumerate(names):
        data = data.replace(f"{number:03}".ljust(len(raw), "#").encode(), raw)
    if utf8:
        data = data.replace(b"PK\1\2\x14\x03\x14\x00\x00\x00", b"PK\1\2\x14\x03\x14\x00\x00\x08")
    path.write_bytes(data)
    return path


def encoded(encoding: str, *names: str) -> dict[bytes, str]:
    return {name.encode(encoding): name for name in names}


def read_as(path: Path, encoding: str | None) -> Listing:
    return list_source(ZIP, Location(path, None, 1 << 30, zip_encoding=encoding))


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("gb18030", ["动物/猫.jpg", "植物/玫瑰.jpg"]),
        ("big5", ["貓/1.jpg", "玫瑰/照片.jpg"]),
        ("cp932", ["ねこ/1.jpg", "犬/写真2.jpg"]),
        ("cp866", ["кошка/1.jpg", "собака/2.jpg"]),
        ("cp1251", ["кошка/1.jpg", "собака/2.jpg"]),
        ("cp437", ["käse/1.jpg", "brötchen/2.jpg"]),
        ("cp1252", ["café/1.jpg", "São/3.jpg"]),
        ("cp857", ["kuş/1.jpg", "ağaç/2.jpg"]),
    ],
)
def test_a_code_page_is_found_from_all_names_and_said(
    encoding: str, names: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = listed(ZIP, write_zip(tmp_path / "a.zip", encoded(encoding, *names)))
    assert sorted(image.path for image in found.images) == sorted(names)
    assert f"a.zip: names are read as {encoding} (" in capsys.readouterr().out
    assert found.bytes_of(names[0]) == names[0].encode()


def test_utf8_without_the_mark_is_read_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for names in (["käse/1.jpg", "ö/2.jpg"], ["猫/1.jpg", "dog/1.jpg"], ["кот/1.jpg", "пёс/1.jpg"]):
        found = listed(ZIP, write_zip(tmp_path / "a.zip", encoded("utf-8", *names)))
        assert sorted(image.path for image in found.images) == sorted(names)
    assert capsys.readouterr().out == ""


def test_where_several_make_sense_the_user_is_asked_with_each(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", encoded("gbk", "猫/1.jpg", "dog/1.jpg"))
    with pytest.raises(DarkroomError) as caught:
        listed(ZIP, path)
    assert "several code pages make sense of them: set ingest.zip_encoding" in str(caught.value)
    assert str(caught.value).splitlines()[1:] == [
        "  - utf-8: è", "  - cp1251: ГЁ", "  - gb18030: 猫", "  - big5: 癡", "  - cp949: 챔",
    ]  # fmt: skip
    assert read_as(path, "gbk").classes == ("dog", "猫")
    assert read_as(path, "utf-8").classes == ("dog", "è")
    greek = write_zip(tmp_path / "b.zip", encoded("cp737", "γάτα/1.jpg", "σκύλος/2.jpg"))
    with pytest.raises(DarkroomError, match=r"no code page makes sense of them: set ingest\.zip_encoding"):
        listed(ZIP, greek)
    assert read_as(greek, "cp737").classes == ("γάτα", "σκύλος")
    turkish = write_zip(tmp_path / "c.zip", encoded("cp1254", "Kuş/1.jpg", "İnek/2.jpg"))
    with pytest.raises(DarkroomError, match=r"several code pages(?s:.*)cp1252: Kuþ, Ýnek\n  - cp1254: Kuş, İnek"):
        listed(ZIP, turkish)


def test_the_unicode_path_counts_where_it_was_made_for_the_name(tmp_path: Path) -> None:
    raw = "猫/1.jpg".encode("gbk")

    def field(crc: int) -> dict[bytes, bytes]:
        content = struct.pack("<BI", 1, crc) + "猫/1.jpg".encode()
        return {raw: struct.pack("<HH", 0x7075, len(content)) + content}

    names = {raw: "cat", b"dog/1.jpg": "dog"}
    found = listed(ZIP, write_zip(tmp_path / "a.zip", names, extra=field(zlib.crc32(raw))))
    assert found.classes == ("dog", "猫") and found.bytes_of("猫/1.jpg") == b"cat"
    with pytest.raises(DarkroomError, match="several code pages"):
        listed(ZIP, write_zip(tmp_path / "b.zip", names, extra=field(1)))


def test_a_name_that_is_marked_as_utf8_and_is_not_is_ignored_alone(tmp_path: Path) -> None:
    names = {b"cat/caf\xe9.png": "x", "cat/ö.png".encode(): "cat", b"dog/a.png": "dog"}
    found = listed(ZIP, write_zip(tmp_path / "a.zip", names, utf8=True))
    assert found.ignored == [("cat/caf\\xe9.png", "its name is not in UTF-8: rename it")]
    assert [image.path for image in found.images] == ["cat/ö.png", "dog/a.png"]
    assert [found.bytes_of(image.path) for image in found.images] == [b"cat", b"dog"]
    given = replace(found.location, zip_encoding="cp1252")
    assert [image.path for image in list_source(ZIP, given).images] == ["cat/café.png", "cat/ö.png", "dog/a.png"]


@pytest.mark.parametrize("encoding", ["idna", "unicode_escape", "ascii"])
def test_a_name_that_the_users_encoding_can_not_read_is_ignored_alone(encoding: str, tmp_path: Path) -> None:
    names = {b"cat/a\x80\\ud800.png": "x", b"cat/a.png": "cat", b"dog/a.png": "dog"}
    found = read_as(write_zip(tmp_path / "a.zip", names), encoding)
    assert [item.reason for item in found.ignored] == ["its name is not in UTF-8: rename it"]
    assert [image.path for image in found.images] == ["cat/a.png", "dog/a.png"]
