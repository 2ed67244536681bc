"""The file of label fixes: what reviewers write is read as they mean it, and every mistake is told by its line."""

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darkroom.labels.fixes import ACTIONS, COLUMNS, MOST_LISTED, LabelFix, read_label_fixes
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import csv_cell

PATHS = ["cat/1.png", "cat/2.png", "dog/a, b.png"]
CLASSES = ("cat", "dog")
HEADER = ",".join(COLUMNS)


def read(folder: Path, *lines: str) -> list[LabelFix]:
    file = folder / "label_fixes.csv"
    file.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return read_label_fixes(file, PATHS, CLASSES)


def test_each_action_is_read(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "cat/1.png,relabel,dog,Ann,it barks",
        "",
        '"dog/a, b.png", remove ,, Bob ,"two animals,\nneither a dog"',
        "0123456789abcdef,keep,dog,Ann,a cat",
    )
    assert found == [
        LabelFix(2, "cat/1.png", "relabel", "dog", "Ann", "it barks"),
        LabelFix(5, "dog/a, b.png", "remove", None, "Bob", "two animals,\nneither a dog"),
        LabelFix(6, "0123456789abcdef", "keep", None, "Ann", "a cat"),
    ]


def test_the_header_alone_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path) == []


def test_spreadsheets_may_write_their_mark_and_their_line_ends(tmp_path: Path) -> None:
    (tmp_path / "fixes.csv").write_bytes(f"\ufeff{HEADER}\r\ncat/1.png,remove,,Ann,blurred\r\n".encode())
    found = read_label_fixes(tmp_path / "fixes.csv", PATHS, CLASSES)
    assert [(fix.line, fix.image, fix.reason) for fix in found] == [(2, "cat/1.png", "blurred")]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(ACTIONS), st.sampled_from(CLASSES)), max_size=5))
def test_whatever_a_name_holds_it_is_read_as_it_was_written(tmp_path: Path, images: dict[str, tuple[str, str]]) -> None:
    file = tmp_path / "fixes.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows(
            [COLUMNS, *((csv_cell(image), *fix, "Ann", f"{image}.") for image, fix in images.items())]
        )
    found = read_label_fixes(file, list(images), CLASSES)
    assert [(fix.image, fix.action) for fix in found] == [(image, action) for image, (action, _) in images.items()]
    assert all(fix.new_label == (images[fix.image][1] if fix.action == "relabel" else None) for fix in found)
    assert all(fix.reason == f"{fix.image}.".strip() for fix in found)


def test_a_name_may_be_typed_as_it_is_too(tmp_path: Path) -> None:
    file = tmp_path / "label_fixes.csv"
    file.write_text(f"{HEADER}\n=1+1.png,relabel,-1,Ann,x\n'=2.png,relabel,'-1,Ann,x\nnew\\names.png,keep,,Ann,x\n")
    fixes = read_label_fixes(file, ["=1+1.png", "=2.png", r"new\names.png"], ("-1", "+1"))
    assert [(fix.image, fix.new_label) for fix in fixes] == [
        ("=1+1.png", "-1"), ("=2.png", "-1"), (r"new\names.png", None),
    ]  # fmt: skip


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError) as caught:
        read(
            tmp_path,
            "cat/3.png,remove,,Ann,blurred",
            "cat/1.png,rename,dog,Ann,it barks",
            "cat/2.png,relabel,dgo,,",
            "cat/2.png,relabel,,Ann,it barks",
            ",keep,,Ann,fine",
            "dog/a, b.png,keep,,Ann,fine",
        )
    file = tmp_path / "label_fixes.csv"
    assert str(caught.value).splitlines() == [
        f"{file} can't be used as it is: fix these rows or take them out",
        "  - line 2: the source has no image 'cat/3.png'",
        "  - line 3: the action 'rename' is none of relabel, remove, keep",
        "  - line 4: there is no class 'dgo'; did you mean 'dog'?",
        "  - line 4: no reviewer",
        "  - line 4: no reason",
        "  - line 5: no new_label to relabel to",
        "  - line 5: 'cat/2.png' is in line 4 already: keep one of them",
        "  - line 6: no image",
        "  - line 7: 6 values, and there are 5 columns",
    ]


def test_a_thousand_mistakes_make_a_short_message(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError) as caught:
        read(tmp_path, *(f"gone/{number}.png,remove,,Ann,blurred" for number in range(1000)))
    lines = str(caught.value).splitlines()
    assert len(lines) == MOST_LISTED + 2 and lines[-1] == f"  - and {1000 - MOST_LISTED} more"


def test_a_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "fixes.csv"
    with pytest.raises(DarkroomError, match="is not there: make it with the one line image,action,"):
        read_label_fixes(file, PATHS, CLASSES)
    for content, told in (
        (b"", "must begin with the line image,action,new_label,reviewer,reason, and has nothing"),
        (b"image;action\n", "must begin with the line .* and has image;action"),
        (HEADER.encode() + b"\ncat/1.png,remove,,J\xf6rg,blurred\n", "can't be read as a CSV in UTF-8 from line 2 on"),
        (HEADER.encode() + b'\ncat/2.png,keep,,Ann,fine\n"cat/1.png,remove\n', "as a CSV in UTF-8 from line 3 on"),
    ):
        file.write_bytes(content)
        with pytest.raises(DarkroomError, match=told):
            read_label_fixes(file, PATHS, CLASSES)
