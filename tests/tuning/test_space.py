"""The search space: every mistake before anything is tried, and sampled values that `train` takes."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import PARAMS_FILE
from darkroom.settings.read import read_params
from darkroom.settings.train import Train
from darkroom.settings.tune import dimension_mistake
from darkroom.tuning.space import Choices, Range, fit_batch_sizes, read_space, round_sampled, usual_rate_outside
from tests.conftest import ROOT

PARAMS = read_params(ROOT / PARAMS_FILE)
TRAIN = PARAMS.train.model_copy(update={"network": "small_image_net"}).resolved()


def changed(**settings: Any) -> Train:
    return Train.model_validate(TRAIN.model_dump() | settings)


def test_our_own_space_can_be_searched() -> None:
    space, unread = read_space(PARAMS.tune.space, TRAIN)
    assert list(space) == list(PARAMS.tune.space) and not unread
    assert {"learning_rate", "batch_size", "filters", "dropout", "weight_decay"} <= set(space)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"low": 0.1, "hihg": 1}, "should be"),
        ({"low": 1, "high": 1}, "below high"),
        ({"low": 0, "high": 1, "log": True}, "above 0"),
        ({"low": "a", "high": 1}, "numbers"),
        ({"low": True, "high": 2}, "numbers"),
        ({"choices": [1]}, "two or more"),
        ({"choices": [1, None]}, "None"),
        ({"choices": ["a", "a"]}, "twice"),
        ({"choices": [1, 2], "low": 1}, "should be"),
    ],
)
def test_an_entry_of_another_form_is_refused(entry: dict[str, Any], said: str) -> None:
    assert said in str(dimension_mistake(entry))


def test_true_and_one_are_two_choices() -> None:
    assert dimension_mistake({"choices": [True, 1]}) is None


def test_all_mistakes_are_shown_at_once() -> None:
    entries: dict[str, dict[str, Any]] = {
        "learning_rat": {"low": 0.1, "high": 1.0},
        "epochs": {"low": 1, "high": 9},
        "seed": {"choices": [0, 1]},
        "dropout": {"low": 0.0, "high": 1.5},
        "optimizer": {"choices": ["sgd", "adamm"]},
        "mixup": {"low": 0.0, "high": 0.4},
        "loss": {"choices": ["cross_entropy", "binary"]},
    }
    with pytest.raises(DarkroomError) as caught:
        read_space(entries, TRAIN)
    said = str(caught.value)
    assert "learning_rat: train has no such setting; did you mean learning_rate?" in said
    assert "epochs: can't be tuned" in said and "seed: can't be tuned" in said
    assert "dropout: 1.5 is not possible: should be less than 1" in said
    assert "optimizer: 'adamm' is not possible" in said
    assert "mixup=0.4 can be combined with loss=binary: mixup and cutmix need" in said
    assert said.count("\n  - ") == 6


def test_what_the_network_does_not_read_is_left_out_and_said() -> None:
    entries = {name: PARAMS.tune.space[name] for name in ("filters", "dropout", "learning_rate")}
    space, unread = read_space(entries, changed(network="resnet18"))
    assert (list(space), unread) == (["learning_rate"], ["filters", "dropout"])
    with pytest.raises(DarkroomError, match="resnet18 reads none of dropout"):
        read_space({"dropout": {"low": 0.0, "high": 0.5}}, changed(network="resnet18"))
    # Where the network itself is searched, one of the choices may read it.
    both = entries | {"network": {"choices": ["simple_cnn", "resnet18"]}}
    assert not read_space(both, changed(network="resnet18"))[1]


def test_an_interval_that_leaves_the_usual_rate_out_gets_a_warning() -> None:
    space, _ = read_space({"learning_rate": {"low": 0.01, "high": 0.5, "log": True}}, TRAIN)
    assert usual_rate_outside(space, TRAIN) is None
    said = usual_rate_outside(space, changed(network="resnet18", weights="imagenet"))
    assert said and "from 0.01 to 0.5, and the usual rate is 0.00042 (adamw" in said
    both, _ = read_space({"optimizer": {"choices": ["sgd", "adam"]}, "learning_rate": {"low": 1.0, "high": 2.0}}, TRAIN)
    assert usual_rate_outside(both, TRAIN) is None


def test_whole_numbers_are_sampled_where_the_setting_takes_no_others() -> None:
    space, _ = read_space({"filters": {"low": 8, "high": 64}, "rotate": {"low": 0, "high": 15}}, TRAIN)
    assert space == {"filters": Range(8, 64, False, True), "rotate": Range(0, 15, False, False)}


@given(low=st.floats(1e-6, 10), width=st.floats(1e-6, 10), share=st.floats(0, 1))
def test_a_rounded_number_is_short_and_inside_its_interval(low: float, width: float, share: float) -> None:
    dimension = Range(low, low + width, False, False)
    value = round_sampled({"rate": dimension}, {"rate": min(low + share * width, low + width)})["rate"]
    assert dimension.low <= float(value) <= dimension.high
    assert value in (dimension.low, dimension.high) or value == float(f"{value:.3g}")


def test_choices_stay_as_they_are() -> None:
    assert round_sampled({"flip": Choices((True, False))}, {"flip": False}) == {"flip": False}


@pytest.mark.parametrize(
    ("entry", "images", "left", "said"),
    [
        ({"choices": [64, 128, 256]}, 60_000, {"choices": [64, 128, 256]}, None),
        (
            {"choices": [64, 128, 256]},
            1443,
            {"choices": [64]},
            "batch_size 128, 256, since 1,443 training images make fewer",
        ),
        ({"choices": ["auto", 64]}, 100, {"choices": ["auto"]}, "batch_size 64, since 100 training images make fewer"),
        (
            {"choices": [64, 128, 256]},
            600,
            None,
            "batch_size, since 600 .* than 20 steps an epoch of more than 30; it stays",
        ),
        ({"low": 16, "high": 256}, 2000, {"low": 16, "high": 100}, "batch_size above 100, since 2,000"),
        ({"low": 16, "high": 256}, 90, {"low": 16, "high": 16}, "batch_size above 16, since 90"),
    ],
)
def test_batch_sizes_with_too_few_steps_are_left_out_and_named(
    entry: dict[str, Any], images: int, left: dict[str, Any] | None, said: str | None
) -> None:
    rate = {"low": 0.01, "high": 0.1}
    found, text = fit_batch_sizes({"learning_rate": rate, "batch_size": entry}, images)
    assert found == {"learning_rate": rate} | ({} if left is None else {"batch_size": left})
    assert text is None if said is None else re.match(f"not in the space: {said}", str(text))


def test_a_space_of_batch_sizes_that_are_all_too_large_is_refused() -> None:
    with pytest.raises(DarkroomError, match=r"batch_size: 600 training images make .* add smaller ones"):
        fit_batch_sizes({"batch_size": {"choices": [64, 128]}}, 600)
    assert fit_batch_sizes({"filters": {"choices": [8]}}, 3) == ({"filters": {"choices": [8]}}, None)
