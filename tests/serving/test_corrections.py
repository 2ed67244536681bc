"""A correction that is sent arrives in the data of the next run, and nothing else does."""

import base64
import csv
import errno
import hashlib
import io
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from darkroom.images.manifest import read_manifest
from darkroom.labels import inbox as module
from darkroom.labels.fixes import read_label_fixes
from darkroom.runtime.errors import DarkroomError
from serving.app import make_app
from serving.inbox import Corrections, Recent
from serving.service import Service
from tests.conftest import ingest_source, ingest_surveyed, survey_source
from tests.support.served import cut_picture, make_pictures
from tests.support.tiny_bundle import make_bundle

CLASSES = ("=1+1", "a, b", "cat", "dog", "up/down", "été")
WHO: dict[str, Any] = {"reviewer": "Ann", "reason": "it is a terrier"}
Asked = Callable[..., Any]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("corrections") / "bundle", classes=CLASSES)


@pytest.fixture
def service(bundle: Path, tmp_path: Path) -> Iterator[Service]:
    made = Service(bundle, threads=1, batch=1)
    made.take_corrections(tmp_path / "inbox", 5, 100_000)
    yield made
    made.close()


@pytest.fixture
def client(service: Service) -> TestClient:
    return TestClient(make_app(service), raise_server_exceptions=False)


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    return [path.read_bytes() for path in make_pictures(tmp_path / "pictures")]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def table(folder: Path, name: str) -> list[list[str]]:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_corrections_are_a_table_source_with_their_fixes(
    client: TestClient, files: list[bytes], tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    labels = ["=1+1", "a, b", "up/down", "été", "été"]
    for data, label in zip(files, labels, strict=False):
        answer = client.post("/v1/corrections", json={"image": encoded(data), "label": label, **WHO})
        sha256 = hashlib.sha256(data).hexdigest()
        assert answer.status_code == 201
        assert answer.json() == {"path": answer.json()["path"], "sha256": sha256, "label": label}
        assert (inbox / answer.json()["path"]).read_bytes() == data
        assert stat.S_IMODE((inbox / answer.json()["path"]).stat().st_mode) == 0o600
    survey_source("table", inbox / "table.csv", tmp_path)
    fixes = tmp_path / "label_fixes.csv"
    fixes.write_bytes((inbox / "label_fixes.csv").read_bytes())
    ingest_surveyed("table", inbox / "table.csv", tmp_path, fixes=fixes)
    manifest = read_manifest(tmp_path / "data/ingest").to_pylist()
    found = {(row["sha256"], row["label"]) for row in manifest}
    assert found == {(hashlib.sha256(data).hexdigest(), label) for data, label in zip(files, labels, strict=False)}
    decided = read_label_fixes(fixes, [row["path"] for row in manifest], CLASSES)
    assert {(fix.action, fix.reviewer, fix.reason) for fix in decided} == {("keep", "Ann", "it is a terrier")}
    assert {fix.image for fix in decided} == {row["path"] for row in manifest}


def test_corrections_are_class_folders_that_join_others(client: TestClient, files: list[bytes], tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    for name, data in (("cat", files[0]), ("dog", files[1])):
        (mine / name).mkdir(parents=True)
        (mine / name / "1.png").write_bytes(data)
    for data, label in ((files[2], "cat"), (files[3], "été")):
        form = {"label": label, **WHO}
        assert client.post("/v1/corrections", data=form, files={"image": ("photo", data)}).status_code == 201
    # As docs/labels.md has it.
    subprocess.run("cp -r inbox/images/. mine/", shell=True, cwd=tmp_path, check=True)
    manifest = read_manifest(ingest_source("folder", mine, tmp_path)).to_pylist()
    assert {(row["sha256"], row["label"]) for row in manifest} == {
        (hashlib.sha256(data).hexdigest(), label)
        for data, label in zip(files, ("cat", "dog", "cat", "été"), strict=False)
    }


def test_corrections_join_a_table_beside_its_images(client: TestClient, files: list[bytes], tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for number in (0, 1):
        (mine / f"{number}.png").write_bytes(files[number])
    (mine / "table.csv").write_text("path,label\n0.png,cat\n1.png,dog\n")
    for data, label in ((files[2], "a, b"), (files[3], "up/down")):
        body = {"image": encoded(data), "label": label, **WHO}
        assert client.post("/v1/corrections", json=body).status_code == 201
    # As docs/labels.md has it.
    command = "cp -r inbox/images mine/ && tail -n +2 inbox/table.csv >> mine/table.csv"
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    manifest = read_manifest(ingest_source("table", mine / "table.csv", tmp_path)).to_pylist()
    assert {(row["sha256"], row["label"]) for row in manifest} == {
        (hashlib.sha256(data).hexdigest(), label)
        for data, label in zip(files, ("cat", "dog", "a, b", "up/down"), strict=False)
    }


def test_an_inbox_that_was_moved_away_is_made_anew(client: TestClient, files: list[bytes], tmp_path: Path) -> None:
    for number, data in enumerate(files[:2]):
        client.post("/v1/corrections", json={"image": encoded(data), "label": "cat", **WHO})
        if not number:
            (tmp_path / "inbox").rename(tmp_path / "old")
    (row,) = table(tmp_path / "inbox", "table.csv")[1:]
    assert row == [f"images/cat/{hashlib.sha256(files[1]).hexdigest()}.png", "cat"]


def test_the_hash_of_an_image_that_was_just_answered_is_enough(
    client: TestClient, files: list[bytes], tmp_path: Path
) -> None:
    sha256 = hashlib.sha256(files[0]).hexdigest()
    body = {"sha256": sha256, "label": "cat", **WHO}
    unknown = client.post("/v1/corrections", json=body)
    assert unknown.status_code == 404 and "send the image itself" in unknown.json()["detail"]
    client.post("/v1/predict", content=files[0], headers={"Content-Type": "image/png"})
    path = client.post("/v1/corrections", json=body).json()["path"]
    assert path == f"images/cat/{sha256}.png" and (tmp_path / "inbox" / path).read_bytes() == files[0]


def test_a_later_correction_of_an_image_replaces_the_earlier(
    client: TestClient, files: list[bytes], tmp_path: Path
) -> None:
    for label, reviewer in (("cat", "Ann"), ("dog", '=cmd|"x"!A0\n'), ("dog", "Bob")):
        body = {"image": encoded(files[0]), "label": label, "reviewer": reviewer, "reason": "+1"}
        path = client.post("/v1/corrections", json=body).json()["path"]
        if label == "dog" and reviewer != "Bob":
            (row,) = table(tmp_path / "inbox", "label_fixes.csv")[1:]
            assert row == [path, "keep", "", '\'=cmd|"x"!A0', "'+1"]
    inbox = tmp_path / "inbox"
    assert table(inbox, "table.csv") == [["path", "label"], [path, "dog"]]
    assert table(inbox, "label_fixes.csv")[1:] == [[path, "keep", "", "Bob", "'+1"]]
    assert [each.name for each in inbox.rglob("*.png")] == [Path(path).name]


def test_it_goes_on_where_an_earlier_service_ended(service: Service, files: list[bytes], tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    preprocessing = service.model.bundle.preprocessing
    for number, data in enumerate(files[:3]):
        assert service.inbox
        service.inbox.add(data, f"{number:064}", module.Correction("cat", 'Ann, "A"', "'a'"), preprocessing)
    before = {name: (folder / name).read_bytes() for name in ("table.csv", "label_fixes.csv")}
    # Killed between the image and its row: the image counts for the size, and is no row.
    (folder / "images/cat/half.png").write_bytes(files[3])
    again = Corrections(folder, 4, 100_000, service._limit.decoding)
    assert {name: (folder / name).read_bytes() for name in before} == before
    again.add(files[3], "f" * 64, module.Correction("cat", "Ann", "why"), preprocessing)
    with pytest.raises(module.InboxFull, match="the inbox has 4 images, and 4 is its limit"):
        again.add(files[4], "e" * 64, module.Correction("cat", "Ann", "why"), preprocessing)
    (folder / "table.csv").write_text("image,class\n")
    with pytest.raises(DarkroomError, match=r"table\.csv is no table of this inbox: give another folder"):
        Corrections(folder, 4, 100_000, service._limit.decoding)


def test_two_services_share_an_inbox(service: Service, files: list[bytes], tmp_path: Path) -> None:
    assert service.inbox
    other = Corrections(tmp_path / "inbox", 5, 100_000, service._limit.decoding)
    preprocessing = service.model.bundle.preprocessing
    for number, data in enumerate(files[:4]):
        inbox = other if number % 2 else service.inbox
        inbox.add(data, f"{number:064}", module.Correction("cat", "Ann", "why"), preprocessing)
    assert [row[0][-5:] for row in table(tmp_path / "inbox", "table.csv")[1:]] == ["0.png", "1.png", "2.jpg", "3.png"]
    assert len(table(tmp_path / "inbox", "label_fixes.csv")) == 5


def test_a_table_that_was_damaged_meanwhile_is_said(client: TestClient, files: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "inbox/table.csv").write_text("nothing\n")
    answer = client.post("/v1/corrections", json={"image": encoded(files[0]), "label": "cat", **WHO})
    assert answer.status_code == 507 and "the inbox can't be read" in answer.json()["detail"]
    assert str(tmp_path) not in answer.text


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"label": "cat", **WHO}, 400, "needs an image, or the sha256 of one that was just answered"),
        ({"image": "aGk=", "sha256": "a", "label": "cat", **WHO}, 400, "and not both"),
        ({"sha256": "../../etc/passwd", "label": "cat", **WHO}, 400, "sha256 is '../../etc/passwd', should be 64 hex digits"),
        ({"image": "aGk=", "label": "cat", "url": "x", **WHO}, 400, "'url' is no field of a correction"),
        ({"image": "aGk=", "label": "Dog ", **WHO}, 422, "there is no class 'Dog '; did you mean 'dog'?"),
        ({"image": "aGk=", "label": "cta", **WHO}, 422, "there is no class 'cta'; did you mean 'cat'?"),
        ({"image": "aGk=", "label": "../../x", **WHO}, 422, "there is no class '../../x': /v1/model lists all"),
        ({"image": "aGk=", "label": 3, **WHO}, 422, "there is no label"),
        ({"image": "aGk=", "label": "cat", "reviewer": " ", "reason": "x"}, 422, "there is no reviewer"),
        ({"image": "aGk=", "label": "cat", "reviewer": "Ann"}, 422, "there is no reason"),
        ({"image": "aGk=", "label": "cat", "reviewer": "A" * 201, "reason": "x"}, 422, "reviewer has 201 characters"),
        ({"image": "aGk=", "label": "cat", **WHO}, 422, "not an image in a known format"),
        ({"image": encoded(cut_picture()), "label": "cat", **WHO}, 422, "damaged: "),
        ({"image": "https://host/a.png", "label": "cat", **WHO}, 400, "is an address, and none is ever fetched"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_is_stored(
    client: TestClient, tmp_path: Path, service: Service, body: dict[str, Any], status: int, says: str
) -> None:
    answer = client.post("/v1/corrections", json=body)
    assert answer.status_code == status and says in answer.json()["detail"]
    assert list((tmp_path / "inbox/images").rglob("*")) == []
    assert service.metrics.registry.get_sample_value("darkroom_corrections_total", {"result": "refused"}) == 1


def test_other_forms_and_several_images_are_refused(client: TestClient, files: list[bytes]) -> None:
    png = {"Content-Type": "image/png"}
    assert client.post("/v1/corrections", content=files[0], headers=png).status_code == 415
    two = [("image", ("a.png", files[0])), ("image", ("b.png", files[1]))]
    answer = client.post("/v1/corrections", data={"label": "cat", **WHO}, files=two)
    assert answer.status_code == 400 and "2 images: a correction is of one" in answer.json()["detail"]


def test_a_full_inbox_and_a_full_disk_are_said(
    client: TestClient, service: Service, files: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(data: bytes) -> Any:
        return client.post("/v1/corrections", json={"image": encoded(data), "label": "cat", **WHO})

    assert [send(data).status_code for data in files] == [201] * 5 + [507]
    assert send(files[0]).status_code == 201  # another word about an image that is there
    assert "the inbox has 5 images, and 5 is its limit: whoever runs" in send(files[5]).json()["detail"]
    assert service.inbox
    monkeypatch.setattr(service.inbox._inbox, "_most_images", 100)
    large = io.BytesIO()
    Image.effect_noise((400, 400), 90).save(large, "PNG")
    assert "100,000 is its limit: there is no room for" in send(large.getvalue()).json()["detail"]

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "whole_file", refuse)
    answer = send(files[5])
    assert answer.status_code == 507 and "can't be written (No space left on device)" in answer.json()["detail"]


def test_it_is_off_unless_asked_for(bundle: Path, files: list[bytes]) -> None:
    service = Service(bundle, threads=1, batch=1)
    client = TestClient(make_app(service))
    answer = client.post("/v1/corrections", json={"image": encoded(files[0]), "label": "cat", **WHO})
    assert answer.status_code == 403
    assert answer.json()["detail"] == "this service takes no corrections: start it with --corrections FOLDER"
    assert client.get("/v1/model").json()["corrections"] is False
    service.close()


def test_the_page_is_told_that_corrections_are_taken(client: TestClient) -> None:
    assert client.get("/v1/model").json()["corrections"] is True


def test_images_are_held_for_a_while_alone() -> None:
    recent = Recent(10)
    for name in ("a", "b", "c"):
        recent.add(name, name.encode() * 4)
    assert [recent.get(name) for name in ("a", "b", "c")] == [None, b"bbbb", b"cccc"]
    recent.add("b", b"bbbb")
    recent.add("d", b"dd")
    assert [recent.get(name) for name in ("b", "c", "d")] == [b"bbbb", b"cccc", b"dd"]
    recent.add("e", b"e" * 11)
    assert recent.get("e") is None


def test_a_class_with_an_end_of_line_in_its_name_stays_one_row(
    service: Service, files: list[bytes], tmp_path: Path
) -> None:
    assert service.inbox
    for number, label in enumerate(("a\rb", "a\nb", "a\r\nb")):
        said = module.Correction(label, "Ann", "why")
        service.inbox.add(files[number], f"{number:064}", said, service.model.bundle.preprocessing)
    assert {row[1] for row in table(tmp_path / "inbox", "table.csv")[1:]} == {"a\rb", "a\nb", "a\r\nb"}
    Corrections(tmp_path / "inbox", 5, 100_000, service._limit.decoding)
