"""The choice takes the place of what is `auto`, and of nothing that is set."""

import json
from pathlib import Path
from typing import Any

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.selection.apply import recipe_of, with_choice
from darkroom.selection.choice import FILE, Choice, write_choice
from darkroom.settings.train import Train
from darkroom.training.recipe import Recipe

CHOSEN = {"network": "timm/tf_efficientnet_lite0", "weights": "imagenet", "pooling": "grid", "freeze": "backbone"}


def test_the_choice_is_trained_with_and_a_head_alone_sees_images_as_they_are(tmp_path: Path) -> None:
    write_choice(Choice(CHOSEN, "", [], {}), tmp_path / "select")
    found = with_choice(Train(epochs=7, rotate=5.0), tmp_path / "select")
    assert {name: getattr(found, name) for name in CHOSEN} == CHOSEN
    assert (found.shift, found.cutout, found.flip, found.epochs, found.rotate) == (0.0, 0.0, False, 7, 5.0)
    assert with_choice(Train(shift=0.1), tmp_path / "select").shift == 0.1


def test_the_recipe_is_that_of_the_plan_where_the_network_was_chosen(tmp_path: Path) -> None:
    def found(train: Train, **tuning: int) -> Recipe | None:
        write_choice(Choice(CHOSEN, "", [], {"fine_tuning": tuning} if tuning else {}), tmp_path / "select")
        return recipe_of(train, tmp_path / "select")

    assert found(Train(), epochs=8, forms=7, most=2048) == Recipe(8, 7)
    assert found(Train(), epochs=0, forms=7, most=128) is None and found(Train()) is None
    assert found(Train(network="resnet18"), epochs=8, forms=7, most=2048) is None


def test_a_network_that_is_set_needs_no_choice_and_has_the_defaults(tmp_path: Path) -> None:
    found = with_choice(Train(network="small_image_net"), tmp_path / "none")
    assert (found.weights, found.pooling, found.freeze, found.shift, found.cutout, found.flip) == (
        "none", "mean", "none", 0.08, 0.25, "auto",
    )  # fmt: skip


def test_a_choice_of_other_settings_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    write_choice(Choice({}, "as train.network has it", [], {}), tmp_path / "select")
    with pytest.raises(DarkroomError, match="dvc repro select"):
        with_choice(Train(), tmp_path / "select")
    (tmp_path / "select" / FILE).write_text(json.dumps({"settings": {}}))
    with pytest.raises(DarkroomError, match="reason"):
        with_choice(Train(), tmp_path / "select")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": "some.pt"}, "set network to its name"),
        ({"freeze": 3}, "freeze=3 counts the layer groups of one network"),
        ({"freeze": "backbone", "unfreeze": [2]}, r"unfreeze=\[2\] counts the layer groups of one network"),
        ({"weights": "none", "pooling": "grid"}, "has no use for pooling=grid"),
        ({"weights": "none", "freeze": "backbone"}, "has no use for freeze=backbone"),
        ({"loss": "margin"}, "network=auto does not go with loss=margin"),
    ],
)
def test_settings_of_one_network_beside_auto_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Train(**settings)
