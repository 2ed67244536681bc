"""`predict.mirror`: decided on validation, by answers that change."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from darkroom.images.pack import Packed
from darkroom.network.load import Normalized, build_model
from darkroom.runtime.errors import DarkroomError
from darkroom.training.mirror_answers import choose_mirror, require_mirrorable
from darkroom.training.mirrored import MirroredClasses
from tests.support.trained_digits import spec_of


class Left(torch.nn.Module):
    """Class 1 where the left half is brighter than the middle; the mirror image says the same of the right half."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(1, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[-1.0], [1.0]]))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(pictures[:, 0, :, :4].mean((1, 2))[:, None])
        return logits


def half_seen(right: int, wrong: int) -> Packed:
    """Images of class 1 whose left half is dark and right half brighter, and of class 0 that are so."""
    images = np.full((right + wrong, 8, 8, 1), 100, np.uint8)
    images[:, :, 4:] = 200
    return Packed(images, np.repeat([1, 0], [right, wrong]), np.zeros(right + wrong, "S16"))


@pytest.mark.parametrize(("right", "wrong", "mirrors"), [(12, 0, True), (4, 0, False), (12, 8, False), (0, 12, False)])
def test_auto_takes_what_more_than_chance_gains(right: int, wrong: int, mirrors: bool) -> None:
    model = Normalized(Left(), [0.5], [0.25])
    found = choose_mirror("auto", True, model, half_seen(right, wrong), torch.float32)
    assert found.value is mirrors
    assert (
        f"{right} of {right + wrong} validation images are right only with it, {wrong} only without it" in found.reason
    )


def test_what_is_set_stays_and_auto_is_off_where_it_can_not_pay() -> None:
    model, validation = Normalized(Left(), [0.5], [0.25]), half_seen(12, 0)
    for asked in (True, False):
        found = choose_mirror(asked, False, model, validation, torch.float32)
        assert (found.used.value, found.used.reason, found.line) == (str(asked), "", "")
    found = choose_mirror("auto", False, model, validation, torch.float32)
    assert found.line == "predict.mirror False: the network did not learn from mirror images"
    large = replace(validation, images=np.zeros((1, 96, 96, 1), np.uint8))
    assert choose_mirror("auto", True, model, large, torch.float32).value is False


def test_classes_that_are_mirror_images_and_capsules_are_refused_before_training() -> None:
    def arrows() -> MirroredClasses:
        return MirroredClasses((("left", "right", 40, 2, 1),))

    model = build_model(spec_of("simple_cnn", filters=8, depth=1, dropout=0.0))
    require_mirrorable("auto", model, arrows)
    require_mirrorable(True, model, lambda: MirroredClasses(()))
    with pytest.raises(DarkroomError, match=r"left and right are mirror images.*set predict\.mirror=false"):
        require_mirrorable(True, model, arrows)
    with pytest.raises(DarkroomError, match="CapsuleNet has another"):
        require_mirrorable(True, build_model(spec_of("capsule_net", size=16)), arrows)
