"""Tables that name image files: what their columns may hold, and every mistake by its row."""

import datetime
import random
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.class_names import in_label_order
from darkroom.sources.table import TABLE
from tests.support.listed import Source, listed


def csv(folder: Path, *lines: str) -> Source:
    table = folder / "table.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return listed(TABLE, table)


def parquet(folder: Path, **columns: Any) -> Source:
    pq.write_table(pa.table(columns), folder / "table.parquet")
    return listed(TABLE, folder / "table.parquet")


def test_all_columns_in_any_order_and_the_rest_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a ä.png").write_bytes(b"picture")
    found = csv(
        tmp_path,
        "who,label,timestamp, split,path,group",
        "me,cat,2026-05-31T12:00:00+02:00,Train,a ä.png,herd 1",
        'you,"dog, small",,,"deep/b,c.png",',
    )
    first, second = found.images
    assert found.classes == ("cat", "dog, small")
    assert (first.path, first.label, first.split, first.group) == ("a ä.png", "cat", "train", "herd 1")
    assert first.timestamp == datetime.datetime(2026, 5, 31, 10, tzinfo=UTC)
    assert (first.file, found.read(first)) == ("a ä.png", b"picture")
    assert (second.path, second.label, second.split, second.group, second.timestamp) == (
        "deep/b,c.png", "dog, small", None, None, None,
    )  # fmt: skip
    with pytest.raises(FileNotFoundError):
        found.read(second)
    assert found.listing.inputs == ["table.csv"]


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    columns = {"path": ["b.png", "a.png", "c.png"], "label": [10, 2, 2], "split": ["train", "test", None]}
    times = [datetime.datetime(2026, 1, day, 3, tzinfo=UTC) for day in (1, 2, 3)]
    from_parquet = parquet(tmp_path, **columns, timestamp=times)
    from_csv = csv(tmp_path, "path,label,split,timestamp", "b.png,10,train,2026-01-01 03:00", "a.png,2,test,202601020300",
                   "c.png,2,,2026-01-03T03:00:00Z")  # fmt: skip
    for listing in (from_csv, from_parquet):
        assert listing.classes == ("2", "10")
        assert [(i.path, i.label, i.split, i.timestamp) for i in listing.images] == [
            ("a.png", "2", "test", times[1]), ("b.png", "10", "train", times[0]), ("c.png", "2", None, times[2]),
        ]  # fmt: skip


def test_every_mistake_is_named_with_its_rows_at_once(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError) as raised:
        csv(
            tmp_path,
            "path,label,split,timestamp",
            "a.png,cat,train,2026-01-01",
            "a.png,dog,train,",
            "b.png,,somewhere,yesterday",
            ",dog,train,",
            "../c.png,dog,train,",
            "x/../a.png,cat,train,",
            "x/../../d.png,cat,train,",
        )
    assert str(raised.value).splitlines()[1:] == [
        "  - no path: row 4",
        "  - a path that climbs out of the table's folder (write it as an absolute path): rows 5, 7",
        "  - no label: row 3",
        "  - a split that is none of train, training, dev, val, valid, validation, eval, evaluation, test, testing, holdout "
        "('somewhere'): row 3",
        "  - a timestamp that is not ISO 8601, as in 2026-05-31T12:00:00Z ('yesterday'): row 3",
        "  - the path of an earlier row (take one of them out): row 6",
        "  - the path of an earlier row under another label ('a.png' is 'cat' in row 1 and 'dog' in row 2; keep one): row 2",
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("file,label", "a,b"), "has no column path; its columns are file, label"),
        (("a;b", "c;d"), "has no column path and no column label.*divided by ;: save it divided by commas"),
        (("Path, Label", "a,b"), "write path for Path; write label for Label; "),
        (("path,label", "a,b", "a\tb,c,d"), r"row 2 \(the first below the header is row 1\).*between quotation marks"),
        (
            ("path,label", r"im\1.png,cat", r"C:\im\2.png,dog"),
            r"contains \\ and no / \('im.*write / between .*: rows 1, 2",
        ),
        (("path,label", "a,caf\xe9", "b,x", "c,cafe\u0301"), r"(?s)differ only in .*'cafe.u0301' \(1 image, as c\)"),
        (("path,label,path", "a,b,c"), "has the column path twice"),
        (("path,label", "a,b,c"), r"can't be read as a CSV in UTF-8: .*Expected 2 columns, got 3"),
        (("path,label", "a,cat", "b,cat"), r"has 2 images and the classes \['cat'\]: it takes two or more"),
        (("path,label,split", "a,cat,test", "b,dog,test"), "puts every image into test: none to train on"),
        (("",), "can't be read as a CSV"),
    ],
)
def test_tables_that_can_not_be_used(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(DarkroomError, match=message):
        csv(tmp_path, *lines)


def test_columns_of_strange_types(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"a column of the type list<.*where text in UTF-8 or numbers should be"):
        parquet(tmp_path, path=["a", "b"], label=[["x"], ["y"]])
    assert parquet(tmp_path, path=["a", "b"], label=[True, False]).classes == ("false", "true")


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"there is no .*gone: ingest\.path must name the table"):
        listed(TABLE, tmp_path / "gone")
    (tmp_path / "latin.csv").write_bytes("path,label\na.png,käse\n".encode("latin-1"))
    with pytest.raises(DarkroomError, match=r"CSV in UTF-8: row 1 \(.*\) contains the byte 0xe4; save it as UTF-8"):
        listed(TABLE, tmp_path / "latin.csv")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(DarkroomError, match="is not a Parquet file, or is damaged"):
        listed(TABLE, tmp_path / "cut.parquet")


def test_a_damaged_row_group_is_named(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    names = [f"{number}.png" for number in range(30)]
    table = pa.table({"path": names, "label": ["cat", "dog"] * 15})
    pq.write_table(table, file, row_group_size=10, use_dictionary=False, compression="gzip")
    content = bytearray(file.read_bytes())
    at = pq.read_metadata(file).row_group(1).column(0).data_page_offset
    content[at : at + 40] = bytes(40)
    file.write_bytes(content)
    with pytest.raises(DarkroomError, match=r"t\.parquet: row group 2 of 3 is damaged \(.*fetch the file again"):
        listed(TABLE, file)


def test_a_name_with_a_backslash_that_is_there_is_a_name(tmp_path: Path) -> None:
    (tmp_path / r"a\b.png").write_bytes(b"b")
    assert csv(tmp_path, "path,label", r"a\b.png,x", "c.png,y").bytes_of(r"a\b.png") == b"b"


def test_absolute_paths_may_lead_anywhere_and_are_shortened_below_the_table(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"b")
    (tmp_path / "here").mkdir()
    found = csv(tmp_path / "here", "path,label", f"{tmp_path}/b.png,b", f"{tmp_path}/here/deep/../a.png,a")
    assert [image.path for image in found.images] == [f"{tmp_path}/b.png", "a.png"]
    assert found.read(found.images[0]) == b"b"


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfpath,label\r\na.png,cat\r\nb.png,dog\r\n")
    assert [image.label for image in listed(TABLE, tmp_path / "t.csv").images] == ["cat", "dog"]


@given(st.sets(st.integers(-(10**6), 10**6).map(str) | st.sampled_from(["07", "7", "a"]), min_size=1), st.randoms())
def test_the_order_of_classes_does_not_depend_on_the_rows(labels: set[str], rng: random.Random) -> None:
    shuffled = sorted(labels)
    rng.shuffle(shuffled)
    assert in_label_order(set(shuffled)) == in_label_order(labels)
    assert set(in_label_order(labels)) == labels


def test_blanks_around_paths_go_as_those_around_labels(tmp_path: Path) -> None:
    found = csv(tmp_path, "path,label", "a.png , cat", " b c.png,dog ")
    assert [(image.path, image.label) for image in found.images] == [("a.png", "cat"), ("b c.png", "dog")]


def test_a_missing_label_is_no_class(tmp_path: Path) -> None:
    message = r"  - no label: row 3\n  - the label nan, with which programs write .*: rows 2, 4"
    with pytest.raises(DarkroomError, match=message):
        csv(tmp_path, "path,label", "a.png,cat", "b.png,NaN", "c.png,\N{ZERO WIDTH SPACE}", "d.png,<NA>")
    with pytest.raises(DarkroomError, match=r"the label nan.*: row 2"):
        parquet(tmp_path, path=["a.png", "b.png"], label=[1.0, float("nan")])


@pytest.mark.parametrize("url", ["http://x.org/a.png", "https://x.org/a.png", "s3://bucket/a.png", "file:///a.png"])
def test_a_url_is_not_a_path(tmp_path: Path, url: str) -> None:
    with pytest.raises(
        DarkroomError, match=rf"a URL, and only files are read \('{url}'; fetch them first.*: rows 1, 3"
    ):
        csv(tmp_path, "path,label", f"{url},cat", "b.png,dog", f"{url}2,dog")


def test_quotation_marks_behind_a_blank_are_no_part_of_a_value(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"a blank before the quotation marks of a label .*: rows 1, 3$"):
        csv(tmp_path, "path, label", 'a.png, "cat"', "b.png, cat", '"c.png",  "dog" ')


def test_a_group_that_is_missing_and_written_out_is_no_group(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"the group nan, with which .*leave the value empty.*: rows 1, 3$"):
        csv(tmp_path, "path,label,group", "a.png,cat,nan", "b.png,cat,", "c.png,dog,NaN", "d.png,dog,7")
    with pytest.raises(DarkroomError, match=r"the group nan.*: row 2$"):
        parquet(tmp_path, path=["a.png", "b.png"], label=["a", "b"], group=[1.0, float("nan")])


def test_a_failed_formula_is_no_class(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"the label '#N/A', a failed formula of a spreadsheet .*: rows 1, 3$"):
        csv(tmp_path, "path,label", "a.png,#N/A", "b.png,cat", "c.png,#REF!", "d.png,dog")


def test_parquets_timestamps_have_the_bounds_of_written_ones(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"before the first photograph, of 1826: row 2$"):
        parquet(
            tmp_path,
            path=["a.png", "b.png"],
            label=["a", "b"],
            timestamp=pa.array([datetime.datetime(2026, 1, 1), datetime.datetime(1700, 1, 1)], pa.timestamp("us")),
        )
