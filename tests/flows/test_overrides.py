"""What the user typed reaches the settings as it was meant, or is refused with a reason."""

import zipfile
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.read import read_params
from darkroom.settings.sections import Params
from flows.overrides import read_overrides, to_hydra
from tests.conftest import ROOT
from tests.flows.repository import Repository

# Every one of these means something to a shell, to YAML, or to Hydra.
AWKWARD = r"""my (own) [pictures], a=b & c: {1} 'x' "y" ${HOME} $z #1 \n é 日本 100%"""


def params(*overrides: str) -> Params:
    return read_params(ROOT / "params.yaml", overrides)


def parsed(override: str) -> object:
    """The value that Hydra reads."""
    value: object = OverridesParser.create().parse_override(override).value()
    return getattr(value, "text", value)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1))
def test_any_text_passes_hydra_unchanged(text: str) -> None:
    ingest = params().ingest.model_copy(update={"path": text})
    (written,) = to_hydra(["ingest.path=…"], params().model_copy(update={"ingest": ingest}))
    assert parsed(written) == text.replace("${", r"\${")  # OmegaConf takes this backslash away


def test_values_keep_their_types() -> None:
    overrides = (
        "train.epochs=3",
        "train.weight_decay=1e-5",
        "train.flip=false",
        "preprocess.size=auto",
        "split.seed=7",
    )
    expected = [
        "train.epochs=3",
        "train.weight_decay=1e-05",
        "train.flip=false",
        "preprocess.size='auto'",
        "split.seed=7",
    ]
    assert to_hydra(overrides, params(*overrides)) == expected


def test_lists_dates_and_nothing_pass_hydra() -> None:
    overrides = (
        "validate.stop=[manifest, size]",
        "split.test_from=2026-05-31",
        "split.folds=",
        "ingest.root=it's ~/here",
    )
    stop, day, folds, root = to_hydra(overrides, params(*overrides))
    assert (stop, day, folds) == (
        "validate.stop=['manifest','size']",
        "split.test_from='2026-05-31'",
        "split.folds=null",
    )
    assert [parsed(text) for text in (stop, day, folds, root)] == [
        ["manifest", "size"], "2026-05-31", None, "it's ~/here",
    ]  # fmt: skip
    (nothing,) = to_hydra(["validate.stop=[]"], params("validate.stop=[]"))
    assert parsed(nothing) == []


def test_of_a_setting_named_twice_the_last_counts() -> None:
    overrides = ("train.epochs=3", "train.epochs=4")
    assert to_hydra(overrides, params(*overrides)) == ["train.epochs=4"]


def test_a_folder_and_a_zip_are_told_apart_by_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_awkward_path_goes_through_dvc_into_params_yaml(repository: Repository) -> None:
    images = repository.root / AWKWARD
    (repository.root / "images").rename(images)
    status, printed = repository.run("-m", "flows.run", "--images", str(images), "--set", "train.weight_decay=1e-5")
    assert status == 0, printed
    written = read_params(repository.root / "params.yaml")
    assert written.ingest.path == AWKWARD
    assert written.train.weight_decay == 1e-5


@pytest.mark.parametrize("path", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_is_valid_and_what_is_set_beside_it_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    overrides = read_overrides("", "train.epochs=77", path.stem)
    assert params(*overrides).train.epochs == 77
    assert len(to_hydra(overrides, params(*overrides))) == len({text.partition("=")[0] for text in overrides})


def test_a_preset_that_is_not_there_is_named_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(DarkroomError, match=r"PRESET=fotos: there is no presets/fotos\.yaml; there are .*photographs"):
        read_overrides("", "", "fotos")


def test_transforms_pass_hydra() -> None:
    override = "train.albumentations=[{name: GaussianBlur, blur_limit: [3, 5], p: 0.3}]"
    (written,) = to_hydra([override], params(override))
    assert parsed(written) == [{"name": "GaussianBlur", "blur_limit": [3, 5], "p": 0.3}]
