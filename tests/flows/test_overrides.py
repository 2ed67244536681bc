"""What is typed beside `make run` arrives as it was typed, links included, or is refused."""

import zipfile
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.ingest import Ingest
from darkroom.settings.read import Params, read_params
from darkroom.sources.listing import survey_ranges
from darkroom.sources.registry import location_of
from flows.overrides import chosen_settings, read_overrides
from tests.conftest import ROOT, survey_source

# Every one of these means something to a shell or to YAML.
AWKWARD = r"""my (own) [pictures], a=b & c: {1} 'x' "y" ${HOME} $z #1 \n é 日本 100%"""


def params(*overrides: str) -> Params:
    return read_params(ROOT / "params.yaml", overrides)


def test_typed_values_arrive_with_their_types_and_the_last_of_a_name_counts() -> None:
    overrides = (
        "train.weight_decay=1e-5", "train.flip=false", "preprocess.size=auto", "validate.stop=[manifest, size]",
        "split.test_from=2026-05-31", "split.folds=", "train.epochs=3", "train.epochs=4",
        "train.albumentations=[{name: GaussianBlur, blur_limit: [3, 5], p: 0.3}]",
    )  # fmt: skip
    assert chosen_settings(overrides, params(*overrides)) == {
        "train.weight_decay": 1e-5,
        "train.flip": False,
        "preprocess.size": "auto",
        "validate.stop": ["manifest", "size"],
        "split.test_from": "2026-05-31",
        "split.folds": None,
        "train.epochs": 4,
        "train.albumentations": [{"name": "GaussianBlur", "blur_limit": [3, 5], "p": 0.3}],
    }


def test_a_folder_and_a_zip_are_recognised_by_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("folder.zip").mkdir()
    archive = tmp_path / AWKWARD
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a/b.png", b"")
    assert params(*read_overrides("folder.zip", "")).ingest.path == "folder.zip"
    assert params(*read_overrides("folder.zip", "")).ingest.source == "folder"
    found = params(*read_overrides(str(archive), "train.epochs=3"))
    assert (found.ingest.source, found.ingest.path, found.train.epochs) == ("zip", str(archive), 3)


def test_wrong_paths_and_quotes_are_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no zip")
    for images, settings, message in (
        (str(tmp_path / "nowhere"), "", "there is no .*nowhere"),
        (str(tmp_path / "notes.txt"), "", "is a file, and neither a zip, a tar"),
        ("", "ingest.path=it's", "No closing quotation"),
        (str(tmp_path), "ingest.source=digits train.epochs=1", "so does SET=ingest.source=digits: leave"),
    ):
        with pytest.raises(DarkroomError, match=message):
            read_overrides(images, settings)


@pytest.mark.parametrize("path", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_is_valid_and_set_has_precedence_over_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    overrides = read_overrides("", "train.epochs=77", path.stem)
    assert params(*overrides).train.epochs == 77
    assert chosen_settings(overrides, params(*overrides))["train.epochs"] == 77


def test_a_preset_that_is_not_there_is_named_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(DarkroomError, match=r"PRESET=fotos: there is no presets/fotos\.yaml; there are .*photographs"):
        read_overrides("", "", "fotos")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("{folder}/current", "{folder}/current"),
        ("{folder}/current/", "{folder}/current"),
        ("../current", "../current"),
        ("mine", "mine"),
        ("./mine/", "mine"),
        ("{folder}/here/mine", "mine"),
        ("~/current", "{folder}/current"),
        ("{folder}/a b/current", "{folder}/a b/current"),
    ],
)
def test_a_link_is_stored_as_it_was_typed(
    typed: str, stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "2026-05").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "a b").mkdir()
    for link in ("current", "here/mine", "a b/current"):
        (tmp_path / link).symlink_to(tmp_path / "2026-05")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    found = params(*read_overrides(typed.format(folder=tmp_path), "")).ingest
    assert (found.source, found.path) == ("folder", stored.format(folder=tmp_path))


def test_a_link_that_leads_elsewhere_is_another_source(digit_folder: Path, tmp_path: Path) -> None:
    for version, count in (("2026-05", 2), ("2026-06", 3)):
        for name in ("zero", "one"):
            (tmp_path / version / name).mkdir(parents=True)
            for picture in sorted((digit_folder / name).iterdir())[:count]:
                (tmp_path / version / name / picture.name).write_bytes(picture.read_bytes())
    current = tmp_path / "current"
    current.symlink_to("2026-05")
    path = params(*read_overrides(str(current), "")).ingest.path
    images = []
    for version in ("2026-05", "2026-06"):
        current.unlink()
        current.symlink_to(version)
        survey_source("folder", Path(path), tmp_path)
        images.append(survey_ranges(tmp_path / "data/survey")[0].images)
    assert images == [4, 6]


def test_the_home_in_a_setting_is_that_of_whoever_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    location = location_of(Ingest(path="~/photos", root="~/sets"))
    assert (location.path, location.root) == (Path("/home/me/photos"), Path("/home/me/sets"))
    nobody = "~nobody-of-that-name/photos"
    assert location_of(Ingest(path=nobody)).path == Path(nobody)
