"""The preprocessing of a model: what is written is what is read, and sets of eight bits have no depth in it."""

import json
import re

import pytest

from darkroom.model.depth import Depth
from darkroom.model.spec import Preprocessing
from darkroom.runtime.checked_json import check_json
from darkroom.runtime.errors import DarkroomError

PLAIN = Preprocessing(8, 1, "pad", "turbo", (0.25,), (0.5,))
DEEP = Preprocessing(8, 1, "pad", "turbo", (0.25,), (0.5,), Depth("range", {"float": (-1.5, 812.0)}))


@pytest.mark.parametrize("preprocessing", [PLAIN, DEEP])
def test_what_is_written_is_read(preprocessing: Preprocessing) -> None:
    assert check_json(json.dumps(preprocessing.to_dict()), Preprocessing, "model.json", "again") == preprocessing


@pytest.mark.parametrize(
    ("depth", "mistake"),
    [
        ({"rule": "mean", "scales": {"float": [0, 1]}}, "depth.rule is 'mean', should be 'full' or 'range'"),
        (
            {"rule": "full", "scales": {"float": [1, 0]}},
            "should have for each kind of values a low that is below its high",
        ),
        ({"rule": "full", "scales": {"uint99": [0, 1]}}, "uint99"),
        ({"rule": "full", "scales": {"float": [0, None]}}, "depth.scales.float.1 is None, should be a valid number"),
    ],
)
def test_a_depth_that_means_nothing_is_a_mistake(depth: dict[str, object], mistake: str) -> None:
    with pytest.raises(DarkroomError, match=re.escape(mistake)):
        check_json(json.dumps(PLAIN.to_dict() | {"depth": depth}), Preprocessing, "model.json", "again")


def test_only_sets_with_other_than_eight_bits_have_a_depth() -> None:
    assert list(PLAIN.to_dict()) == ["size", "channels", "resize", "decoder", "mean", "std"]
    assert DEEP.to_dict()["depth"] == {"rule": "range", "scales": {"float": [-1.5, 812.0]}}
