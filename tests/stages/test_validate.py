"""Each expectation stops the line with its name and its numbers; the reports are there when they are needed most."""

import html
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from playwright.sync_api import Browser

from darkroom.classes import ClassList
from darkroom.errors import DarkroomError
from stages import ingest, validate

LIMITS = {
    "max_reject_fraction": 0.1,
    "min_images_per_class": 3,
    "max_imbalance_ratio": 3.0,
    "min_side": 8,
    "max_side": 100,
}
HOSTILE = "<script>alert(1)</script>"


def draw(path: Path, number: int, width: int = 16, height: int = 12) -> None:
    """An image that no other number gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)


def take_in(tmp_path: Path) -> Path:
    """Ingest what lies in `tmp_path/source`."""
    ingest.run("folder", tmp_path / "source", 1.0, tmp_path / "ingest")
    return tmp_path / "ingest"


def run(tmp_path: Path, **changed: float) -> None:
    validate.run(tmp_path / "ingest", **LIMITS | changed, out=tmp_path / "out", reports=tmp_path / "reports")  # type: ignore[arg-type]


def results(tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tmp_path / "reports" / "validation.json").read_text())
    return content


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two classes of five images each."""
    for number in range(5):
        draw(tmp_path / "source" / "cat" / f"{number}.png", number)
        draw(tmp_path / "source" / "dog" / f"{number}.png", 100 + number)
    return tmp_path / "source"


def change_manifest(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Do to the manifest what no honest ingest does."""
    path = tmp_path / "ingest" / "manifest.parquet"
    pq.write_table(pa.Table.from_pandas(change(pq.read_table(path).to_pandas()), preserve_index=False), path)


def test_good_data_gets_groups_and_every_report(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    take_in(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    run(tmp_path)
    groups = pq.read_table(tmp_path / "out" / "groups.parquet")
    manifest = pq.read_table(tmp_path / "ingest" / "manifest.parquet")
    assert groups.schema == pa.schema([("id", pa.string()), ("group", pa.string())])
    assert groups["id"].equals(manifest["id"]) and groups["group"].equals(manifest["sha256"])
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {
        "index.html",
        "great_expectations.html",
        "validation.json",
        "suite.json",
    }
    assert {one["status"] for one in results(tmp_path)["expectations"]} == {"passed"}
    assert "10 images, 2 classes" in capsys.readouterr().out


def one_class(source: Path) -> None:
    shutil.rmtree(source / "dog")


def two_images(source: Path) -> None:
    for number in range(3):
        (source / "dog" / f"{number}.png").unlink()


def four_times_as_many(source: Path) -> None:
    two_images(source)
    draw(source / "dog" / "new.png", 7)
    for number in range(20, 27):
        draw(source / "cat" / f"{number}.png", number)


def too_small(source: Path) -> None:
    draw(source / "cat" / "tiny.png", 7, width=40, height=5)


def too_large(source: Path) -> None:
    draw(source / "cat" / "huge.png", 7, width=101, height=20)


def unreadable(source: Path) -> None:
    (source / "cat" / "empty.png").touch()
    (source / "dog" / "text.png").write_text("not a picture")


@pytest.mark.parametrize(
    ("spoil", "name", "found", "allowed", "example", "setting"),
    [
        (two_images, "images in the smallest class", "2", "at least 3", "dog (2)", "validate.min_images_per_class"),
        (
            four_times_as_many,
            "largest class divided by smallest",
            "4 : 1",
            "at most 3 : 1",
            "cat (12); dog (3)",
            "validate.max_imbalance_ratio",
        ),
        (too_small, "shorter side of the smallest image", "5 px", "at least 8 px", "cat/tiny.png (5)", "min_side"),
        (too_large, "longer side of the largest image", "101 px", "at most 100 px", "cat/huge.png (101)", "max_side"),
        (
            unreadable,
            "files that can't be read as images",
            "16.67%",
            "at most 10%",
            "cat/empty.png; dog/text.png",
            "ingest.max_reject_fraction",
        ),
    ],
)
def test_a_broken_expectation_stops_the_line_by_name_and_number(
    source: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    name: str,
    found: str,
    allowed: str,
    example: str,
    setting: str,
) -> None:
    take_in(tmp_path)
    run(tmp_path)
    spoil(source)
    take_in(tmp_path)
    with pytest.raises(DarkroomError) as stopped:
        run(tmp_path)
    message = str(stopped.value)
    assert f"{name}: found {found}, allowed {allowed} ({example})" in message
    assert setting in message and str(tmp_path / "reports" / "index.html") in message
    assert message.startswith("1 expectation of the data is not met")
    assert not (tmp_path / "out").exists(), "groups of the earlier data would be taken for those of this data"
    assert name in html.unescape((tmp_path / "reports" / "index.html").read_text()).lower()
    broken = [one for one in results(tmp_path)["expectations"] if one["status"] != "passed"]
    assert [one["name"] for one in broken] == [name] and broken[0]["severity"] == "critical"


def test_one_class_is_not_enough(source: Path, tmp_path: Path) -> None:
    folder = take_in(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest[manifest["label"] == "cat"])
    ClassList(("cat",)).save(folder / "classes.json")
    with pytest.raises(DarkroomError, match="classes: found 1, allowed at least 2"):
        run(tmp_path)


def test_a_class_without_any_image_is_named(source: Path, tmp_path: Path) -> None:
    take_in(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest[manifest["label"] == "cat"])
    with pytest.raises(DarkroomError, match=r"smallest class: found 0, allowed at least 3 \(dog \(0\)\)"):
        run(tmp_path)


def test_ids_and_labels_that_ingest_never_gave(source: Path, tmp_path: Path) -> None:
    take_in(tmp_path)

    def spoil(manifest: pd.DataFrame) -> pd.DataFrame:
        ids, labels = manifest["id"].tolist(), manifest["label"].tolist()
        return manifest.assign(id=[ids[0], *ids[:1], *ids[2:]], label=[*labels[:9], HOSTILE])

    change_manifest(tmp_path, spoil)
    with pytest.raises(DarkroomError) as stopped:
        run(tmp_path)
    assert "images whose id is not unique: found 2, allowed at most 0" in str(stopped.value)
    assert f"images whose label is not in the class list: found 1, allowed at most 0 ({HOSTILE})" in str(stopped.value)
    for page in ("index.html", "great_expectations.html"):
        text = (tmp_path / "reports" / page).read_text()
        assert "&lt;script&gt;alert(1)" in text and "<script" not in text


def test_what_could_not_be_checked_is_not_called_failed(source: Path, tmp_path: Path) -> None:
    take_in(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest.drop(columns="width"))
    with pytest.raises(DarkroomError) as stopped:
        run(tmp_path)
    assert "columns missing from the manifest: found 1, allowed at most 0 (width)" in str(stopped.value)
    assert "shorter side of the smallest image: could not be checked: The column" in str(stopped.value)
    assert "validate.min_side" not in str(stopped.value), "no setting can mend it"
    status = {one["name"]: (one["status"], one["found"]) for one in results(tmp_path)["expectations"]}
    assert status["columns missing from the manifest"] == ("failed", 1)
    assert status["shorter side of the smallest image"] == ("errored", None)
    assert status["images whose id is not unique"] == ("passed", 0)
    assert not (tmp_path / "out").exists()


def test_one_picture_under_two_labels_is_a_warning_by_name(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(source / "cat" / "0.png", source / "dog" / "stolen.png")
    shutil.copy(source / "cat" / "1.png", source / "cat" / "again.png")
    take_in(tmp_path)
    run(tmp_path)
    assert "warning: cat/0.png (cat) = dog/stolen.png (dog)" in capsys.readouterr().out
    assert results(tmp_path)["conflicts"] == [{"cat/0.png": "cat", "dog/stolen.png": "dog"}]
    assert results(tmp_path)["copies"] == {"groups": 2, "extra_images": 2}
    assert "dog/stolen.png" in (tmp_path / "reports" / "index.html").read_text()
    groups = pq.read_table(tmp_path / "out" / "groups.parquet").to_pandas()
    assert sorted(groups["group"].value_counts())[-2:] == [2, 2]


def test_two_runs_give_equal_bytes_without_a_trace_of_place_or_time(source: Path, tmp_path: Path) -> None:
    shutil.copy(source / "cat" / "0.png", source / "dog" / "stolen.png")
    take_in(tmp_path)
    written = []
    for turn in ("first", "second"):
        out, reports = tmp_path / turn / "out", tmp_path / turn / "reports"
        validate.run(tmp_path / "ingest", **LIMITS, out=out, reports=reports)  # type: ignore[arg-type]
        written.append({path.name: path.read_bytes() for path in [*out.iterdir(), *reports.iterdir()]})
    assert written[0] == written[1] and len(written[0]) == 5
    for name, content in written[0].items():
        assert str(tmp_path).encode() not in content, name


def test_errored_reports_are_stable_too(source: Path, tmp_path: Path) -> None:
    take_in(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest.drop(columns="width"))
    written = []
    for _ in range(2):
        with pytest.raises(DarkroomError):
            run(tmp_path)
        written.append({path.name: path.read_bytes() for path in (tmp_path / "reports").iterdir()})
    assert written[0] == written[1]
    assert b"site-packages" not in b"".join(written[0].values())


def test_the_command_prints_the_message_and_no_traceback(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["validate"] |= {"min_side": 13, "min_images_per_class": 3}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    take_in(tmp_path).rename(tmp_path / "taken")
    (tmp_path / "data").mkdir()
    (tmp_path / "taken").rename(tmp_path / "data" / "ingest")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        validate.main()
    told = capsys.readouterr()
    assert left.value.code == 1
    assert told.err.startswith("error: 1 expectation of the data is not met")
    assert "found 12 px, allowed at least 13 px" in told.err and "Traceback" not in told.err


def test_the_pages_open_offline_without_a_complaint(browser: Browser, source: Path, tmp_path: Path) -> None:
    shutil.copy(source / "cat" / "0.png", source / "dog" / "stolen.png")
    unreadable(source)
    take_in(tmp_path)
    with pytest.raises(DarkroomError):
        run(tmp_path)
    complaints: list[str] = []
    for name, width in [("index.html", 1200), ("index.html", 360), ("great_expectations.html", 360)]:
        page = browser.new_context(offline=True, viewport={"width": width, "height": 800}).new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.goto((tmp_path / "reports" / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than {width}"
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    page.goto((tmp_path / "reports" / "index.html").as_uri())
    assert page.locator("img").count() == 12, "five samples of cat, six of dog, one conflict"
    assert complaints == []
