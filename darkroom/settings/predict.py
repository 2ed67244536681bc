"""Settings of the section `predict`."""

from typing import Literal

from darkroom.settings.base import Section


class Predict(Section):
    """How the trained network answers, in every form that is made of it."""

    mirror: Literal["auto"] | bool = False
    """Answer with the mean over the image and its mirror image, at twice the work for each answer. `true`: always; an error
    where two classes are mirror images of each other, which is measured. `auto`: where the network was trained with
    `train.flip`, images have 64 pixels or less, and validation images are answered better by more than chance."""
