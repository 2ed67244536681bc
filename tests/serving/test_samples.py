"""The sample of images that a service keeps: none unless asked, so many a day, with equal chances, and gone by age."""

import hashlib
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from darkroom.runtime.errors import DarkroomError
from serving import samples as module
from serving.app import make_app
from serving.samples import Samples
from serving.service import Service
from tests.support.pictures import colour, encoded
from tests.support.tiny_bundle import make_bundle


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_an_image_that_was_answered_is_kept_as_it_was_sent(tmp_path: Path) -> None:
    service = Service(make_bundle(tmp_path / "bundle"), threads=1, batch=1)
    client, image = TestClient(make_app(service)), encoded(colour(), "JPEG")
    client.post("/v1/predict", content=image, headers={"Content-Type": "image/jpeg"})
    service.samples = Samples(tmp_path / "samples", 5, 30)
    for data in (image, image, b"damaged"):
        client.post("/v1/predict", content=data, headers={"Content-Type": "image/jpeg"})
    service.close()
    folder = tmp_path / f"samples/{datetime.now(UTC):%Y-%m-%d}"
    name = f"{hashlib.sha256(image).hexdigest()}.jpg"
    assert names(tmp_path / "samples") == {name, "day.json"}
    assert (folder / name).read_bytes() == image and stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert json.loads((folder / "day.json").read_text()) == {"answered": 2}


def test_each_image_of_a_day_has_the_same_chance_also_after_a_new_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 1000)
    monkeypatch.setattr(module, "open_head", lambda data: None)
    found = [0] * 20
    for turn in range(40):
        folder = tmp_path / str(turn)
        for start in (0, 10):
            kept = Samples(folder, 5, 30)
            for number in range(start, start + 10):
                kept.consider(b"", f"{number:064x}")
            kept.close()
        images = names(folder) - {"day.json"}
        assert len(images) == 5
        for name in images:
            found[int(name.split(".")[0], 16)] += 1
    # 200 places among 20 images: 10 each, with a standard deviation of 2.7.
    assert sum(found[:10]) == pytest.approx(100, abs=35) and sum(found[::2]) == pytest.approx(100, abs=35)


def test_days_go_by_age_and_a_folder_that_can_not_be_is_refused(tmp_path: Path) -> None:
    for days in (31, 30, 1):
        (tmp_path / f"samples/{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}").mkdir(parents=True)
    Samples(tmp_path / "samples", 5, 30).close()
    assert len(list((tmp_path / "samples").iterdir())) == 2
    (tmp_path / "file").touch()
    with pytest.raises(DarkroomError, match="can't be written: Not a directory; give another folder"):
        Samples(tmp_path / "file/samples", 5, 30)
