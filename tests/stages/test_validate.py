"""Each expectation stops the line with its name and its numbers; the reports are there when they are needed most."""

import html
import json
import re
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

# Loaded here, Great Expectations is not loaded again in a process of its own for each run; one test below wants that.
import darkroom.checks.worker  # noqa: F401
from darkroom.checks import last_commit
from darkroom.checks.last_commit import Side, side_of_table
from darkroom.checks.page import changes_page, great_expectations_page, validation_page
from darkroom.checks.summaries import Summaries
from darkroom.checks.validation import stop_if_broken
from darkroom.images.manifest import read_manifest
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.settings.validate import Validate
from stages import validate
from tests.conftest import ingest_source
from tests.support.pictures import encoded

LIMITS = Validate(
    min_images_per_class=3,
    max_imbalance_ratio=3.0,
    min_side=8,
    max_side=100,
    max_aspect_ratio=10.0,
    min_brightness=0.02,
    max_brightness=0.98,
    min_contrast=0.02,
    min_sharpness=5.0,
    max_mode_mix=0.05,
    max_copies=0.5,
    max_shift=0.1,
)
HOSTILE = "<script>alert(1)</script>"


def draw(path: Path, number: int, width: int = 16, height: int = 12) -> None:
    """An image that no other number gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)


def ingested(tmp_path: Path) -> Path:
    """Ingest `tmp_path/source`."""
    return ingest_source("folder", tmp_path / "source", tmp_path, rejects=1.0)


def run(tmp_path: Path, to: str = "", **changed: Any) -> None:
    """Validate, draw the pages, and stop where the line would."""
    ingest, reports, changes = tmp_path / "data/ingest", tmp_path / to / "reports", tmp_path / to / "changes"
    outcomes = validate.run(
        ingest=ingest,
        settings=LIMITS.model_copy(update=changed),
        max_reject_fraction=0.1,
        decoder="turbo",
        cache=tmp_path / ".darkroom/cache",
        out=tmp_path / to / "out",
        reports=reports,
        changes=changes,
    )
    page = reports / "index.html"
    page.write_text(validation_page(ingest=ingest, validated=reports, cache=tmp_path / ".darkroom/cache"))
    (reports / "great_expectations.html").write_text(great_expectations_page(validated=reports))
    (changes / "index.html").write_text(changes_page(changes=changes))
    stop_if_broken(outcomes, page, changes / "index.html")


def results(tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tmp_path / "reports" / "validation.json").read_text())
    return content


def status(tmp_path: Path) -> dict[str, str]:
    return {one["name"]: one["status"] for one in results(tmp_path)["expectations"]}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two classes of five images each."""
    for number in range(5):
        draw(tmp_path / "source" / "cat" / f"{number}.png", number)
        draw(tmp_path / "source" / "dog" / f"{number}.png", 100 + number)
    return tmp_path / "source"


def change_manifest(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Do to the manifest what no honest ingest does."""
    changed = change(read_manifest(tmp_path / "data/ingest").to_pandas())
    shutil.rmtree(tmp_path / "data/ingest/manifest")
    (tmp_path / "data/ingest/manifest").mkdir()
    pq.write_table(pa.Table.from_pandas(changed, preserve_index=False), tmp_path / "data/ingest/manifest/all.parquet")
    sha256 = file_hash(tmp_path / "data/ingest/manifest/all.parquet")
    ranges = [{"name": "all", "images": len(changed), "sha256": sha256}]
    (tmp_path / "data/ingest/receipt.json").write_text(json.dumps({"ranges": ranges}))


def test_good_data_gets_groups_and_every_report(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    ingested(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    run(tmp_path)
    groups = pq.read_table(tmp_path / "out" / "groups.parquet")
    manifest = read_manifest(tmp_path / "data/ingest")
    assert groups.schema == pa.schema([("id", pa.string()), ("group", pa.string())])
    assert groups["id"].equals(manifest["id"]) and groups["group"].equals(manifest["sha256"])
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {
        "index.html",
        "great_expectations.html",
        "validation.json",
        "suite.json",
        "great_expectations.json",
        "copies.parquet",
    }
    assert {one["status"] for one in results(tmp_path)["expectations"]} == {"passed"}
    printed = capsys.readouterr().out
    assert "10 images, 2 classes" in printed and "not compared: no data version has been committed yet" in printed


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
    (tmp_path / "out").mkdir()
    spoil(source)
    ingested(tmp_path)
    with pytest.raises(DarkroomError) as stopped:
        run(tmp_path)
    message = str(stopped.value)
    assert f"{name}: found {found}, allowed {allowed} ({example})" in message
    assert setting in message and str(tmp_path / "reports" / "index.html") in message
    assert message.startswith("1 expectation of the data is not met")
    assert not (tmp_path / "out").exists(), "groups of the earlier data would be taken for those of this data"
    assert name in html.unescape((tmp_path / "reports" / "index.html").read_text()).lower()
    broken = [one for one in results(tmp_path)["expectations"] if one["status"] != "passed"]
    assert [one["name"] for one in broken] == [name] and broken[0]["stops"]


def test_one_class_is_not_enough(source: Path, tmp_path: Path) -> None:
    folder = ingested(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest[manifest["label"] == "cat"])
    ClassList(("cat",)).save(folder / "classes.json")
    with pytest.raises(DarkroomError, match="classes: found 1, allowed at least 2"):
        run(tmp_path)


def test_a_class_without_any_image_stops_the_line(source: Path, tmp_path: Path) -> None:
    ingested(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest[manifest["label"] == "cat"])
    with pytest.raises(DarkroomError, match=r"classes without an image: found 1, allowed at most 0 \(dog\)"):
        run(tmp_path)


def test_ids_and_labels_that_ingest_never_gave(source: Path, tmp_path: Path) -> None:
    ingested(tmp_path)

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
    ingested(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest.drop(columns="width"))
    with pytest.raises(DarkroomError) as stopped:
        run(tmp_path)
    assert "columns missing from the manifest: found 1, allowed at most 0 (width)" in str(stopped.value)
    assert "shorter side of the smallest image: could not be checked: The column" in str(stopped.value)
    assert "validate.min_side" not in str(stopped.value), "no setting can fix it"
    found = {one["name"]: (one["status"], one["found"]) for one in results(tmp_path)["expectations"]}
    assert found["columns missing from the manifest"] == ("failed", 1)
    assert found["shorter side of the smallest image"] == ("errored", None)
    assert found["images whose id is not unique"] == ("passed", 0)
    assert not (tmp_path / "out").exists()


def test_one_picture_under_two_labels_is_a_warning_with_its_paths(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(source / "cat" / "0.png", source / "dog" / "stolen.png")
    shutil.copy(source / "cat" / "1.png", source / "cat" / "again.png")
    ingested(tmp_path)
    run(tmp_path)
    assert "warning: cat/0.png (cat) = dog/stolen.png (dog)" in capsys.readouterr().out
    assert results(tmp_path)["conflicts"] == [
        {"paths": ["cat/0.png", "dog/stolen.png"], "labels": ["cat", "dog"], "exact": True}
    ]
    assert results(tmp_path)["copies"] == {"groups": 2, "extra_images": 2, "near": 0, "largest_group": 2}
    assert "dog/stolen.png" in (tmp_path / "reports" / "index.html").read_text()
    groups = pq.read_table(tmp_path / "out" / "groups.parquet").to_pandas()
    assert sorted(groups["group"].value_counts())[-2:] == [2, 2]


def gradient(low: int, high: int, width: int = 32, height: int = 32) -> Image.Image:
    return Image.fromarray(np.linspace(low, high, width * height).reshape(height, width).astype(np.uint8))


ODD = {
    "dark": (Image.new("RGB", (20, 20), (2, 2, 2)), "brightness of the darkest image", "0.00784"),
    "white": (Image.new("RGB", (20, 20), "white"), "brightness of the brightest image", "1"),
    "flat": (Image.new("RGB", (20, 20), "grey"), "contrast of the flattest image", "0"),
    "smooth": (gradient(0, 255).convert("RGB"), "sharpness of the most blurred image", ""),
    "long": (Image.new("RGB", (97, 9), "red"), "longer side by shorter side of the most stretched image", "10.778"),
    "grey": (gradient(0, 255).effect_spread(9), "grey images among colour ones, or the other way round", ""),
}


def test_extreme_images_are_listed_and_stop_the_line_where_the_settings_say_so(source: Path, tmp_path: Path) -> None:
    for name, (picture, _, _) in ODD.items():
        picture.save(source / "cat" / f"{name}.png")
    ingested(tmp_path)
    keys = ("brightness", "contrast", "sharpness", "aspect_ratio", "mode_mix")
    with pytest.raises(DarkroomError) as stopped:
        run(tmp_path, stop=list(keys))
    found = {one["name"]: one for one in results(tmp_path)["expectations"]}
    for name, (_, check, value) in ODD.items():
        assert found[check]["status"] == "failed" and found[check]["stops"], check
        assert any(f"cat/{name}.png" in text and value in text for text in found[check]["examples"]), check
        assert check in str(stopped.value)
    assert len([one for one in found.values() if one["stops"]]) == 6
    assert "✗" in (tmp_path / "reports" / "index.html").read_text()
    run(tmp_path, max_mode_mix=0.5)
    assert not any(one["stops"] for one in results(tmp_path)["expectations"] if one["status"] == "failed")


def test_too_many_copies_are_a_warning(source: Path, tmp_path: Path) -> None:
    for number in range(3):
        shutil.copy(source / "cat" / "0.png", source / "cat" / f"again {number}.png")
    ingested(tmp_path)
    run(tmp_path, max_copies=0.2)
    assert status(tmp_path)["images that are copies of another"] == "failed"


def test_near_copies_are_grouped_and_distinguished_from_equal_files(source: Path, tmp_path: Path) -> None:
    with Image.open(source / "cat" / "0.png") as picture:
        picture.resize((64, 48), Image.Resampling.NEAREST).save(source / "dog" / "large.png")
    ingested(tmp_path)
    run(tmp_path)
    (conflict,) = results(tmp_path)["conflicts"]
    assert conflict == {"paths": ["cat/0.png", "dog/large.png"], "labels": ["cat", "dog"], "exact": False}
    groups = pq.read_table(tmp_path / "out" / "groups.parquet").to_pandas()["group"]
    manifest = read_manifest(tmp_path / "data/ingest").to_pandas()
    lead = manifest["sha256"][manifest["path"] == "cat/0.png"].item()
    assert manifest["path"][groups == lead].tolist() == ["cat/0.png", "dog/large.png"]


def test_a_note_on_classes_of_unequal_size_has_the_remedy(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(20, 30):
        draw(source / "cat" / f"{number}.png", number)
    ingested(tmp_path)
    run(tmp_path)
    assert "3.0 times the images of the smallest: `train.balance: weights`" in capsys.readouterr().out
    assert "<code>train.balance: weights</code>" in (tmp_path / "reports" / "index.html").read_text()


def test_ignored_files_and_files_of_several_pictures_are_listed(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "notes <b>.txt").write_text("no image")
    first, second = (Image.open(source / "cat" / f"{number}.png") for number in range(2))
    first.save(source / "cat" / "moving.gif", save_all=True, append_images=[second])
    ingested(tmp_path)
    run(tmp_path)
    printed, page = capsys.readouterr().out, (tmp_path / "reports" / "index.html").read_text()
    holds = "1 file holds several pictures (animations, pages); the first counts: cat/moving.gif"
    assert holds in printed and holds in page
    assert "ignored.parquet" in printed
    assert "notes &lt;b&gt;.txt" in page and "1 file of the source is not counted" in page


def test_images_decoded_with_a_warning_are_listed(source: Path, tmp_path: Path) -> None:
    for number in range(2):
        with Image.open(source / f"cat/{number}.png") as picture:
            whole = encoded(picture.convert("RGB"), "JPEG")
        (source / f"cat/more{number}.jpg").write_bytes(whole[:-2] + bytes(30) + whole[-2:])
    ingested(tmp_path)
    run(tmp_path)
    page = (tmp_path / "reports" / "index.html").read_text()
    assert "; 2 with a warning, listed below" in page and "2 images decoded to the end with a warning" in page
    assert re.search(r'cat/more1.jpg</span></th><td class="text">\d+ extraneous bytes before marker 0xd9</td>', page)


def commit_as_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: pd.DataFrame) -> None:
    """As if git's last commit held this manifest."""
    lock = "stages: {ingest: {outs: [{path: data/ingest, md5: other}]}}"
    monkeypatch.setattr(last_commit, "_git", lambda *words: lock if words[0] == "show" else "abc1234\n")
    monkeypatch.setattr(last_commit, "committed_side", lambda now: side_of_table(pa.Table.from_pandas(before)))
    monkeypatch.chdir(tmp_path)


def test_a_shift_since_the_last_commit_is_printed_and_stops_only_where_the_settings_say_so(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested(tmp_path)
    now = read_manifest(tmp_path / "data/ingest").to_pandas()
    many = pd.concat([now] * 50, ignore_index=True)
    many = many.assign(id=[str(number) for number in range(len(many))])
    commit_as_last(tmp_path, monkeypatch, many.assign(width=many["width"] * 2))
    run(tmp_path)
    found = json.loads((tmp_path / "changes" / "changes.json").read_text())
    assert {name: shift["distance"] for name, shift in found["shifts"].items()} == {
        "classes": 0, "sizes": 1, "brightness": 0
    }  # fmt: skip
    assert {one["key"]: one["status"] for one in found["expectations"]} == {
        "class_shift": "passed", "size_shift": "failed", "brightness_shift": "passed"
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert "warning: shift of the sizes since the last commit: found 1, allowed at most 0.1" in printed
    assert re.search(r"last commit .*: 2 met, 1 warning\n", printed)
    # The first page counts what it shows.
    warnings = sum(one["result"] == "warning" for one in results(tmp_path)["expectations"])
    shown = re.search(r"<h1 .*?(?:, (\d+) warnings?)?\.</h1>", (tmp_path / "reports/index.html").read_text())
    counted = re.search(r"expectations .*?(?:, (\d+) warnings?)?\n", printed)
    assert shown and counted and shown[1] == counted[1] == (str(warnings) if warnings else None)
    page = (tmp_path / "changes" / "index.html").read_text()
    assert "<code>abc1234</code>" in page and "p &lt; 0.001" in page and "p = 1.000" in page
    tracked = b"".join(path.read_bytes() for path in (tmp_path / "reports").iterdir())
    assert b"shift of the sizes" not in tracked and b"size_shift" not in tracked, "clones differ in what was committed"
    with pytest.raises(
        DarkroomError, match=r"shift of the sizes since the last commit(.|\n)*pictures: .*/changes/index.html$"
    ):
        run(tmp_path, stop=["size_shift"])


def test_the_data_of_the_last_commit_may_be_out_of_reach(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested(tmp_path)
    commit_as_last(tmp_path, monkeypatch, pd.DataFrame())

    def out_of_reach(now: Summaries) -> Side:
        raise DarkroomError("it is neither in DVC's cache nor in its remote")

    monkeypatch.setattr(last_commit, "committed_side", out_of_reach)
    run(tmp_path)
    assert "not compared: the data of the last commit are out of reach: it is neither" in capsys.readouterr().out
    assert not json.loads((tmp_path / "changes" / "changes.json").read_text())["compared"]


def test_two_runs_give_equal_bytes_without_a_trace_of_place_or_time(source: Path, tmp_path: Path) -> None:
    shutil.copy(source / "cat" / "0.png", source / "dog" / "stolen.png")
    ingested(tmp_path)
    written = []
    for turn in ("first", "second"):
        run(tmp_path, to=turn)
        made = [*(tmp_path / turn / "out").iterdir(), *(tmp_path / turn / "reports").iterdir()]
        written.append({path.name: path.read_bytes() for path in made})
    assert written[0] == written[1] and len(written[0]) == 7
    for name, content in written[0].items():
        assert str(tmp_path).encode() not in content, name


def test_errored_reports_are_stable_too(source: Path, tmp_path: Path) -> None:
    ingested(tmp_path)
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
    ingested(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        validate.main()
    printed = capsys.readouterr()
    assert left.value.code == 1
    assert printed.err.startswith("error: 1 expectation of the data is not met")
    assert "found 12 px, allowed at least 13 px" in printed.err and "Traceback" not in printed.err
    assert "13 px" in Path("reports/validate/index.html").read_text(), "the page is drawn when the line stops"
    assert Path("reports/validate/great_expectations.html").exists() and Path("reports/changes/index.html").exists()


def test_the_pages_open_offline_without_a_complaint(browser: Browser, source: Path, tmp_path: Path) -> None:
    shutil.copy(source / "cat" / "0.png", source / "dog" / "stolen.png")
    unreadable(source)
    ingested(tmp_path)
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
    assert page.locator("#copies ~ ul.sets img").count() == 2, "both of a conflict, side by side"
    assert page.locator("#copies ~ ul.sets b.wrong").all_inner_texts() == ["cat", "dog"]
    assert page.locator(".samples img").count() == 11, "five of cat, six of dog"
    assert page.evaluate("[...document.images].every(image => image.alt)")
    assert complaints == []
