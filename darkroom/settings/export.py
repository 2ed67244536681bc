"""Settings of the stage `export`."""

from typing import Annotated

from pydantic import Field

from darkroom.settings.base import MOST_IMAGES, Fraction, Section


class Export(Section):
    """What the bundle must prove before it ships."""

    parity_images: Annotated[int, Field(ge=1, le=MOST_IMAGES)] = 10000
    """Test images, from file bytes, on which the bundle must give the predictions of the evaluated model; all of them where
    there are fewer."""
    max_probability_difference: Annotated[float, Field(gt=0, le=1)] = 0.001
    """Largest difference in any probability between the evaluated model and the float graph that ships."""
    max_label_disagreement: Fraction = 0.02
    """Fraction of images on which the INT8 graph, if it ships, may predict another class than the evaluated model; the
    lower end of the fraction's 95% interval counts, since few images are weak evidence."""
    tflite: bool = True
    """Also write `model.tflite` and `model.int8.tflite`; the converter has an environment of its own."""
    browser: bool = False
    """Also ask the page without a server, in Chromium: 99.5% of the labels must be those of the evaluated model. Needs npm, and
    a minute for 10,000 small images."""
