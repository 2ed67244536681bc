"""Why an answer: the picture with the parts that speak for it in colour, found by covering one part after another."""

from pathlib import Path

import numpy as np
from PIL import Image

from darkroom.bundle.bundle import Bundle
from darkroom.drawing.pictures import overlay
from darkroom.inference.occlusion import occlusion
from darkroom.predict.answers import Answer
from darkroom.runtime.errors import DarkroomError

# Characters of a file's name, of four bytes at most, so that a long one still fits into 255 with its number.
STEM = 55


def write_heatmap(bundle: Bundle, answer: Answer, number: int, folder: Path) -> Path:
    """Write a PNG that shows what the most probable class of an image rests on.

    It needs nothing of the network but answers (Zeiler and Fergus 2014), so it is of the graph that ships; some fifty
    answers for each image.

    Args:
        bundle: that gave the answer.
        answer: to explain.
        number: of the image, which the name starts with, since two folders may hold files of one name.
        folder: where to write.

    Returns:
        The file.

    Raises:
        DarkroomError: when it can't be written.
    """
    label = np.array([bundle.classes.names.index(answer.label)], np.int64)
    (heat,) = occlusion(bundle.predict, answer.pixels[None], label)
    path = folder / f"{number:05}-{Path(answer.path).stem[:STEM]}.png"
    try:
        Image.fromarray(overlay(answer.pixels, heat)).save(path)
    except OSError as error:
        raise DarkroomError(f"{folder} can't hold heat maps: {error.strerror or error}; name another folder") from None
    return path
