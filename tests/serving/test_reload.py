"""Another bundle in the folder, or behind the link, answers; a bad one is refused once, and the old one goes on."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.metrics import Metrics
from serving.model import LoadedModel, open_model
from serving.reload import Reloader, bundle_state
from tests.support.tiny_bundle import make_bundle


class Watched:
    """A link to a bundle, and what answers."""

    def __init__(self, root: Path) -> None:
        self.link = root / "current"
        self.root = root
        self.point_at(make_bundle(root / "first"))
        state = bundle_state(self.link)
        self.metrics, self.answering = Metrics(), [open_model(self.link, 1)]
        self.reloader = Reloader(self.link, 1, self.answering[0], state, self.answering.append, self.metrics)

    def point_at(self, folder: Path) -> None:
        new = self.root / ".current"
        new.symlink_to(folder.name)
        new.replace(self.link)

    def look(self, times: int = 3) -> LoadedModel:
        for _ in range(times):
            self.reloader.look()
        return self.answering[-1]

    def count(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("darkroom_reloads_total", {"result": result}) or 0


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_link_that_is_switched_brings_the_other_model_and_back_at_the_first_look(watched: Watched) -> None:
    first = watched.look()
    other = make_bundle(watched.root / "other", classes=("a", "b", "c", "d"), size=10, channels=3)
    watched.point_at(other)
    found = watched.look()
    assert found.bundle.folder == other and found.bundle.classes.names == ("a", "b", "c", "d")
    watched.point_at(watched.root / "first")
    assert watched.look(1) is first
    assert watched.count("loaded") == 2 and watched.count("refused") == 0


def test_a_folder_that_is_replaced_in_place_is_taken(watched: Watched) -> None:
    fresh = make_bundle(watched.root / "fresh", seed=1)
    shutil.rmtree(watched.root / "first")
    assert watched.look() is watched.answering[0]  # nothing there: what is in memory goes on
    fresh.rename(watched.root / "first")
    assert watched.look().hash == open_model(watched.link, 1).hash != watched.answering[0].hash


def cut(bundle: Path) -> None:
    os.truncate(bundle / "model.onnx", 100)


def changed_byte(bundle: Path) -> None:
    data = bytearray((bundle / "model.onnx").read_bytes())
    data[-1] ^= 1
    (bundle / "model.onnx").write_bytes(data)


def other_classes(bundle: Path) -> None:
    other = make_bundle(bundle.parent / "with other classes", classes=("x", "y"))
    shutil.copy(other / "classes.json", bundle)


def missing_file(bundle: Path) -> None:
    (bundle / "calibration.json").unlink()


def half_copied(bundle: Path) -> None:
    for path in sorted(bundle.iterdir())[2:]:
        path.unlink()


@pytest.mark.parametrize("damage", [cut, changed_byte, other_classes, missing_file, half_copied])
def test_a_bad_bundle_is_refused_once_and_taken_when_it_is_repaired(
    watched: Watched, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    first = watched.look()
    bad = make_bundle(watched.root / "bad", seed=2)
    good = shutil.copytree(bad, watched.root / "good")
    damage(bad)
    watched.point_at(bad)
    with caplog.at_level(logging.WARNING):
        assert watched.look(6) is first
    assert watched.count("refused") == 1
    (line,) = caplog.messages
    assert line.startswith(f"refused, and {watched.root}/first (model.onnx, {first.hash[:12]}) goes on: {bad}")
    shutil.copytree(good, bad, dirs_exist_ok=True)
    assert watched.look().hash == open_model(good, 1).hash
    assert watched.count("loaded") == 1


def test_a_bundle_that_is_still_being_copied_is_left_alone(watched: Watched) -> None:
    source = make_bundle(watched.root / "source", seed=3)
    copy = watched.root / "copy"
    copy.mkdir()
    watched.point_at(copy)
    for path in sorted(source.iterdir()):
        shutil.copy(path, copy)
        assert watched.look(1) is watched.answering[0]
    assert watched.look().bundle.folder == copy
    assert watched.count("refused") == 0


@pytest.mark.parametrize("target", ["nothing", "current", "file"])
def test_a_link_that_leads_nowhere_is_refused_once_and_named(
    target: str, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    first = watched.look()
    (watched.root / "file").write_text("no folder")
    watched.point_at(watched.root / target)
    with caplog.at_level(logging.WARNING):
        assert watched.look(6) is first
    assert watched.count("refused") == 1
    (line,) = caplog.messages
    assert line.endswith(f"goes on: {watched.link} is a link to {target}, which is no folder: switch it to a bundle")
    watched.point_at(watched.root / "first")
    assert watched.look() is first
