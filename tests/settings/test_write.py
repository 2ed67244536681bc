"""Settings are changed in `params.yaml`, and nothing else of it is."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import PARAMS_FILE
from darkroom.settings import write
from darkroom.settings.read import SECTIONS, read_params
from darkroom.settings.write import describe_written, with_settings, write_params
from darkroom.settings.yaml_file import parse
from tests.conftest import ROOT

TEXT = (ROOT / PARAMS_FILE).read_text(encoding="utf-8")

# Every one of these means something to a shell, to YAML, or to Hydra.
AWKWARD = r"""my (own) [pictures], a=b & c: {1} 'x' "y" ${HOME} $z #1 \n é 日本 100%"""


def changed_lines(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """The lines that differ, before and after; none is added or removed."""
    pairs = zip(TEXT.splitlines(), with_settings(TEXT, settings).splitlines(), strict=True)
    return [(old, new) for old, new in pairs if old != new]


def read_back(tmp_path: Path, settings: dict[str, Any]) -> Any:
    """What `read_params` reads from the file after the change."""
    path = tmp_path / "params.yaml"
    write_params(path, with_settings(TEXT, settings))
    return read_params(path)


def test_comments_order_and_form_survive(tmp_path: Path) -> None:
    assert with_settings(TEXT, {}) == TEXT
    best = {"learning_rate": 0.0123, "shift": 0.05, "filters": 64, "flip": False, "optimizer": "adamw"}
    settings = {f"train.{name}": value for name, value in best.items()}
    pairs = changed_lines(settings)
    assert {new.split(":")[0].strip() for _, new in pairs} == set(best)
    assert all(old.partition("#")[1:] == new.partition("#")[1:] for old, new in pairs)
    assert read_back(tmp_path, settings).train.model_dump().items() >= best.items()
    assert [file.name for file in tmp_path.iterdir()] == ["params.yaml"]


def test_a_setting_that_has_its_value_already_stays_as_it_was_typed() -> None:
    typed = TEXT.replace("learning_rate: auto", "learning_rate: 0.0010")
    assert with_settings(typed, {"train.learning_rate": 0.001, "train.flip": "auto", "split.folds": None}) == typed


def test_values_of_every_kind_are_read_back(tmp_path: Path) -> None:
    transforms = [{"name": "GaussianBlur", "blur_limit": [3, 5], "p": 0.3}]
    params = read_back(
        tmp_path,
        {
            "ingest.path": AWKWARD,
            "ingest.root": "it's ~/here",
            "validate.stop": ["manifest", "size"],
            "split.test_from": "2026-05-31",
            "train.weight_decay": 1e-5,
            "train.albumentations": transforms,
        },
    )
    assert (params.ingest.path, params.ingest.root) == (AWKWARD, "it's ~/here")
    assert params.validate.stop == ["manifest", "size"]
    assert params.split.test_from == datetime.date(2026, 5, 31)
    assert (params.train.weight_decay, params.train.albumentations) == (1e-5, transforms)


def test_a_list_may_become_empty(tmp_path: Path) -> None:
    assert "  stop: []                     # these stop the line" in with_settings(TEXT, {"validate.stop": []})
    params = read_back(tmp_path, {"validate.stop": []})
    assert (params.validate.stop, params.validate.min_images_per_class) == ([], 10)


@pytest.mark.parametrize("between", ["  # these\n", "\n", "  # one\n\n    # two\n"])
@pytest.mark.parametrize(("value", "written"), [([], " []\n{}"), (["size"], "\n{}  - size\n")])
def test_comments_between_a_key_and_its_list_stay(between: str, value: list[str], written: str) -> None:
    head, _, rest = TEXT.partition("  stop:")
    first = rest.index("  - manifest")
    changed = with_settings(f"{head}  stop:\n{between}{rest[first:]}", {"validate.stop": value})
    after = rest[rest.index("  near_copies:") :]
    assert changed == f"{head}  stop:{written.format(between)}{after}"


def test_what_would_not_be_read_back_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    commented = TEXT.replace("stop:                        # these stop the line, the others warn", "stop:\n  # these")
    assert "  # these\n  - manifest" in commented
    monkeypatch.setattr(write, "_place_comments", lambda comments, value: None)
    with pytest.raises(DarkroomError, match=r"set validate\.stop by hand"):
        with_settings(commented, {"validate.stop": []})


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_path_survives(text: str) -> None:
    few = "ingest:\n  path: images   # where they are\n  root:\n"
    assert parse(with_settings(few, {"ingest.path": text})) == {"ingest": {"path": text, "root": None}}


# Each becomes a blank, a line or nothing where it is not written with an escape.
FOLDED = "a\x85b\u2028c\td\x00e\ufefff\r\n g \x1b\xa0"


def samples(schema: dict[str, Any]) -> list[Any]:
    """Values of a setting, from its JSON schema: all choices, its limits, and what YAML could take for something else."""
    if "anyOf" in schema:
        return [value for member in schema["anyOf"] for value in samples(member)]
    if "enum" in schema or "const" in schema:
        return list(schema.get("enum", [schema.get("const")]))
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    by_type: dict[str, list[Any]] = {
        "null": [None],
        "boolean": [True, False],
        "integer": [least, schema.get("maximum", 2**63 - 1)],
        "number": [least + 1e-05, float(schema.get("maximum", schema.get("exclusiveMaximum", 0)))],
        "string": ["2026-05-31", FOLDED, "null", "# a", AWKWARD, "x" * 300 + " y" * 100],
        "array": [[], [FOLDED, {"name": "1e3", "p": [0.5, {}, []]}], ["size"]],
        "object": [{}, {"rotate": {"low": 0.5, "high": 1e-07}}, {"optimizer": {"choices": ["sgd", FOLDED, True, 1]}}],
    }
    return by_type[schema["type"]]


@pytest.mark.parametrize("turn", range(6))
def test_every_setting_makes_the_round_trip(turn: int) -> None:
    wanted = {}
    for section, kind in SECTIONS.items():
        for key, schema in kind.model_json_schema()["properties"].items():
            values = samples(schema)
            wanted[f"{section}.{key}"] = values[turn % len(values)]
    text = with_settings(TEXT, wanted)
    found = {f"{section}.{key}": value for section, values in parse(text).items() for key, value in values.items()}
    assert repr(found) == repr(wanted)
    shipped = {f"{section}.{key}": value for section, values in parse(TEXT).items() for key, value in values.items()}
    back = with_settings(text, shipped)
    assert parse(back) == parse(TEXT)
    assert [line for line in TEXT.splitlines() if "#" in line and line.split("#")[1] not in back] == []


def test_a_space_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    space = {"rotate": {"low": 0.5, "high": 2.0}}
    assert read_back(tmp_path, {"tune.space": space}).tune.space == space


def test_only_what_the_file_has_is_said(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    given = {"train.epochs": 3, "ingest.path": "my photos"}
    write_params(path, with_settings(TEXT, given))
    assert describe_written(path, given) == f"{path} now has train.epochs=3 ingest.path=my photos"
    write_params(path, with_settings(TEXT, given | {"train.epochs": 5}))
    assert describe_written(path, given) == (
        f"{path} was changed by something else while this ran: it was given train.epochs=3, "
        "and now has train.epochs=5 ingest.path=my photos"
    )
    path.write_text("train: [", encoding="utf-8")
    assert "can't be read any more" in describe_written(path, given)
