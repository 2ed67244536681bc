"""Settings: every mistake named at once, with its place, what is allowed, and the nearest name."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.closure import Code
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.base import read_section
from darkroom.settings.page import PAGE, render
from darkroom.settings.read import SECTIONS, ChangedSetting, changed_settings, read_params
from darkroom.settings.split import Split
from darkroom.settings.train import Train
from tests.conftest import ROOT

PARAMS = ROOT / "params.yaml"
CODE = Code(ROOT)


def write(tmp_path: Path, **sections: object) -> Path:
    content = yaml.safe_load(PARAMS.read_text(encoding="utf-8")) | sections
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_what_ships_are_the_defaults_in_their_order() -> None:
    shipped = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    defaults = {name: section().model_dump(mode="json") for name, section in SECTIONS.items()}
    assert shipped == defaults
    assert [(name, *shipped[name]) for name in shipped] == [(name, *defaults[name]) for name in defaults]
    assert read_params(PARAMS).values() == defaults


def test_all_mistakes_are_reported_together_with_suggestions() -> None:
    overrides = (
        "train.epoch=3",
        "trian.epochs=3",
        "train.batch_size=lots",
        "train.network=resnet81",
        "preprocess.resize=crops",
        "split.test=1.5",
        "validate.min_side=30000",
        "nonsense",
    )
    with pytest.raises(DarkroomError) as caught:
        read_params(PARAMS, overrides)
    message = str(caught.value)
    assert message.startswith("8 mistakes")
    assert "train.epoch: there is no such setting; did you mean train.epochs?" in message
    assert "trian: there is no such setting; did you mean train?" in message
    assert "train.batch_size: is 'lots'" in message
    assert "there is no network 'resnet81'; did you mean resnet18" in message
    assert "did you mean crop?" in message
    assert "split.test: is 1.5" in message
    assert "min_side (30000) is larger than max_side (20000)" in message
    assert "'nonsense' is not of the form section.key=value" in message


def test_a_setting_of_another_section_is_pointed_to() -> None:
    with pytest.raises(DarkroomError, match=r"train\.cron: there is no such setting; did you mean schedule\.cron\?"):
        read_params(PARAMS, ("train.cron=daily",))


def test_a_stage_reads_its_section_alone(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(
        "split: {validation: 0.2, test: 0.1, seed: 7, folds: , fold: 0, validation_from: , test_from: }\ntrain: 3\n"
    )
    assert read_section(Split, path) == Split(validation=0.2, seed=7)
    with pytest.raises(DarkroomError, match=r"1 mistake in the settings .*\n  - train: is 3, should be settings"):
        read_section(Train, path)


# By stage, the sections that it reads; `survey` checks all of them, and `evaluate` lists those that differ from the defaults.
READ = {
    "ingest": {"ingest"},
    "validate": {"validate", "ingest"},
    "split": {"split"},
    "preprocess": {"preprocess", "ingest", "train"},
    "train": {"train", "predict"},
    # Which TFLite files export will ship, for those that it makes beside its own work.
    "predict": {"evaluate", "export", "quantize"},
    "quantize": {"quantize"},
    "export": {"export", "quantize"},
    "report": set(),
}


@pytest.mark.parametrize("stage", READ)
def test_a_section_reaches_its_stage_and_no_other(stage: str) -> None:
    reached = {Path(path).stem for path in CODE.closure(f"stages/{stage}.py") if "/settings/" in path}
    assert reached & set(SECTIONS) == READ[stage] and "read" not in reached


def test_what_differs_from_the_defaults_is_listed() -> None:
    changed = ("train.epochs=3", "split.test_from=2026-10-01", "ingest.path=/somewhere", "quantize.min_speedup=2")
    assert changed_settings(read_params(PARAMS, changed)) == [
        ChangedSetting("split.test_from", "2026-10-01", None),
        ChangedSetting("train.epochs", 3, 12),
    ]


def test_a_missing_section_and_a_missing_setting(tmp_path: Path) -> None:
    content = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    del content["split"], content["train"]["epochs"]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(DarkroomError) as caught:
        read_params(path)
    assert "split: is missing" in str(caught.value)
    assert "train.epochs: is missing; add `epochs: 12`" in str(caught.value)


def test_numbers_are_not_read_out_of_text(tmp_path: Path) -> None:
    content = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    path = write(tmp_path, train=content["train"] | {"epochs": "3"})
    with pytest.raises(DarkroomError, match=r"train\.epochs: is '3'"):
        read_params(path)


@pytest.mark.parametrize("text", ["", "- a list", "train: [", "train: 3"])
def test_a_file_that_is_no_settings_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DarkroomError):
        read_params(path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.learning_rate=1e308", "train.learning_rate: is 1e+308, should be `auto` or number ≥ 1e-09, ≤ 100"),
        ("train.patience=1e30", "train.patience: is 1e+30, should be whole number ≥ 1, ≤ 100000"),
        ("train.epochs=1000000000000", "train.epochs: is 1000000000000, should be whole number ≥ 1, ≤ 100000"),
        ("train.clip_gradient=.inf", "train.clip_gradient: is inf, should be number ≥ 0, ≤ 1000000"),
        ("split.test_from=2026-13-45", "split.test_from: is '2026-13-45', should be a day such as 2026-10-01"),
        ("schedule.cron='61 * * * *'", "schedule.cron: is '61 * * * *', should be five fields: minute (0-59)"),
        ("schedule.cron='0 0 31 2 *'", "schedule.cron: is '0 0 31 2 *', should be five fields"),
        ("schedule.cron='0 3 * *'", "schedule.cron: is '0 3 * *', should be five fields"),
        ("schedule.timezone=Mars/X", "schedule.timezone: is 'Mars/X', should be a time zone such as Europe/Paris"),
        ("schedule.timezone=Europe/Pari", "did you mean Europe/Paris?"),
        ("train.albumentations=[{name: NoSuch}]", "no transform named 'NoSuch'"),
        (
            "train.albumentations=[{name: GaussianBlur, blurr: 3}]",
            "GaussianBlur has no argument 'blurr'; it has blur_limit",
        ),
        ("train.albumentations=[{name: GaussianBlur, p: 7}]", "number 1: GaussianBlur refuses its arguments"),
        ("train.albumentations=[{name: RandomGamma, gamma_limit: [.nan, 3]}]", "write finite numbers"),
        ("tune.space={shift: {choices: [.inf, 0.1]}}", "choices has inf in it, should be finite"),
        ('ingest.path="a\\0b"', r"ingest.path: is 'a\x00b', and no path can contain a zero byte"),
        ("ingest.path=" + "x" * 5000, "of 5,000 characters, and a path has 4,096 at most"),
    ],
)
def test_what_would_only_be_found_later_is_refused_when_read(override: str, message: str) -> None:
    with pytest.raises(DarkroomError, match=re.escape(message)):
        read_params(PARAMS, (override,))


def test_every_number_has_limits_on_both_sides() -> None:
    """Of the settings, `tune.space` and the arguments of Albumentations have their own checks."""
    for name, section in SECTIONS.items():
        for key, schema in section.model_json_schema()["properties"].items():
            for member in [*schema.get("anyOf", [schema]), schema.get("items", {})]:
                if member.get("type") in ("integer", "number"):
                    assert {"minimum", "exclusiveMinimum"} & set(member), f"{name}.{key}"
                    assert {"maximum", "exclusiveMaximum"} & set(member), f"{name}.{key}"


@given(st.text(max_size=30))
def test_any_override_is_taken_or_refused_without_a_crash(text: str) -> None:
    try:
        read_params(PARAMS, (f"train.{text}",))
    except DarkroomError as error:
        assert "mistake" in str(error)


def test_the_page_of_settings_is_current() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == render()


@pytest.mark.parametrize(
    ("network", "schedule", "ema"), [("small_image_net", "triangle", 0.99), ("resnet18", "one-cycle", 0.0)]
)
def test_schedule_and_average_go_with_the_network_and_what_is_set_stays(
    network: str, schedule: str, ema: float
) -> None:
    found = Train(network=network).resolved()
    assert (found.schedule, found.ema) == (schedule, ema)
    found = Train(network=network, schedule="cosine", ema=0.5).resolved()
    assert (found.schedule, found.ema) == ("cosine", 0.5)
