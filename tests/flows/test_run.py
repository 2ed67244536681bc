"""`make run` from the keyboard's side: what was typed arrives or is refused, all at once, and the printed end."""

import re
import zipfile
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.read import Params, read_params
from flows.run import chosen_settings, read_overrides
from tests.conftest import ROOT
from tests.support.repository import FAILS, Repository

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


def test_an_awkward_path_reaches_params_yaml(repository: Repository) -> None:
    images = repository.root / AWKWARD
    (repository.root / "images").rename(images)
    status, printed = repository.run("-m", "flows.run", "--images", str(images), "--set", "train.weight_decay=1e-5")
    assert status == 0, printed
    written = read_params(repository.root / "params.yaml")
    assert written.ingest.path == AWKWARD
    assert written.train.weight_decay == 1e-5


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


def test_all_mistakes_are_shown_at_once_before_anything_is_written(repository: Repository) -> None:
    settings = "train.epoch=3 ingest.source=zpi train.batch_size=many sede=1"
    status, printed = repository.run("-m", "flows.run", "--images", "", "--set", settings)
    assert status == 1
    assert printed.startswith("error: 4 mistakes in the settings")
    assert "did you mean epochs?" in printed and "did you mean zip?" in printed
    assert "'many'" in printed and "'sede=1'" in printed
    assert not (repository.root / "dvc.lock").exists()
    assert repository.git("status", "--porcelain") == ""


def test_a_run_ends_with_the_headline_times_places_and_commands(ran: Repository) -> None:
    printed = ran.printed
    assert "test accuracy  90.00%, 95% interval 85.00% to 95.00%, on 1,234 images" in printed
    assert re.search(r"^ingest +\d+\.\d s$", printed, re.MULTILINE)
    assert re.search(r"^in all +\d+\.\d s, with", printed, re.MULTILINE)
    assert "reports/evaluate/report.html" in printed and "models/export" in printed
    assert "git add dvc.lock" in printed and "darkroom.predict" in printed

    status, printed = ran.run("-m", "flows.run", "--set", "train.epochs=3")
    assert status == 0, printed
    assert "params.yaml now has train.epochs=3; `git checkout params.yaml`" in printed
    assert re.search(r"^ingest +up to date$", printed, re.MULTILINE)
    assert re.search(r"^train +\d+\.\d s$", printed, re.MULTILINE)


def test_a_stage_that_stops_ends_the_run_with_its_message_and_what_params_yaml_holds(ran: Repository) -> None:
    status, printed = ran.run("-m", "flows.run", "--set", f"train.epochs={FAILS}")
    assert status == 1
    assert "Traceback" not in printed
    last = printed[printed.rindex("\nerror: ") + 1 :]
    assert last.startswith("error: stage train stopped: the loss is not a number:\n  - in epoch 1\n  - in epoch 2\n")
    assert f"params.yaml now has train.epochs={FAILS}; `git checkout params.yaml` restores" in last
    assert f"epochs: {FAILS}" in (ran.root / "params.yaml").read_text()
