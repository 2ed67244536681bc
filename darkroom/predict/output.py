"""Predictions as text: a line for people, JSON lines or CSV for programs; and as heat maps."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from darkroom.bundle.bundle import Bundle
from darkroom.predict.answers import Prediction
from darkroom.predict.listing import Refusal
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import csv_cell, printable

# Characters of a heat map's file name, of four bytes at most, so that a long one still fits into 255 with its number.
STEM = 55

# From a prediction, and the file with its heat map if there is one, to a line.
Writer = Callable[[Prediction | Refusal, str | None], str]


def for_people(top: int | None) -> Writer:
    """`path: label 98.1%`, followed by the next classes as far as `top`; no name can send control characters to a terminal."""

    def write(found: Prediction | Refusal, heatmap: str | None) -> str:
        if isinstance(found, Refusal):
            return printable(f"{found.path}: error: {found.error}")
        classes = ", ".join(f"{label} {p:.1%}" for label, p in _ranked(found)[: top or 1])
        if found.abstains:
            classes = f"not sure ({classes}; it abstains below {found.threshold:.1%})"
        return printable(f"{found.path}: {classes}" + (f"  ({heatmap})" if heatmap else ""))

    return write


def prediction_json(found: Prediction, top: int | None, heatmap: str | None) -> dict[str, object]:
    """A prediction as the command and the service give it.

    Args:
        found: the prediction.
        top: the number of classes, the most probable first; None gives all in class-list order.
        heatmap: where its heat map is; None where none was asked for.

    Returns:
        `path`; `answer`, which is null where the model abstains; `label` and `confidence`, the most probable class in any
        case; `abstains`; `threshold`, null where it never abstains; `probabilities`; `heatmap` where one was asked for.
    """
    content: dict[str, object] = {
        "path": found.path,
        "answer": None if found.abstains else found.label,
        "label": found.label,
        "confidence": found.confidence,
        "abstains": found.abstains,
        "threshold": found.threshold,
        "probabilities": dict(_ranked(found)[:top]) if top else found.probabilities,
    }
    return content | ({"heatmap": heatmap} if heatmap else {})


def as_json(top: int | None) -> Writer:
    """One object a line: as `prediction_json` gives it, or `path` and `error`."""

    def write(found: Prediction | Refusal, heatmap: str | None) -> str:
        if isinstance(found, Refusal):
            return json.dumps({"path": found.path, "error": found.error})
        return json.dumps(prediction_json(found, top, heatmap))

    return write


def csv_header(top: int | None, class_count: int) -> str:
    """The first line of a table."""
    ranks = range(1, min(top or 1, class_count) + 1)
    return _row(
        [
            "path",
            "answer",
            "error",
            "heatmap",
            *(f"{cell}_{rank}" for rank in ranks for cell in ("label", "probability")),
        ]
    )


def as_csv(top: int | None) -> Writer:
    """One row an image: its path; the answer, empty where the model abstains; the error; the heat map; and the `top` most
    probable classes with their probabilities."""

    def write(found: Prediction | Refusal, heatmap: str | None) -> str:
        if isinstance(found, Refusal):
            return _row([found.path, "", found.error])
        ranked = [cell for label, p in _ranked(found)[: top or 1] for cell in (label, f"{p:.7f}")]
        return _row([found.path, "" if found.abstains else found.label, "", heatmap or "", *ranked])

    return write


def _ranked(prediction: Prediction) -> list[tuple[str, float]]:
    """Classes and probabilities, the most probable first; of equals the predicted one, then the earlier one."""
    return sorted(prediction.probabilities.items(), key=lambda item: (-item[1], item[0] != prediction.label))


def _row(cells: list[str]) -> str:
    line = io.StringIO()
    # With both characters as its end of a line, the module quotes a name that has either of them.
    csv.writer(line, lineterminator="\r\n").writerow([csv_cell(cell) for cell in cells])
    return line.getvalue().removesuffix("\r\n")


def heatmap_png(bundle: Bundle, prediction: Prediction, predict: Callable[[UInt8s], Float32s] | None = None) -> bytes:
    """A PNG that shows which regions of an image its predicted class depends on.

    Occlusion needs nothing of the network but predictions (Zeiler and Fergus 2014), so it explains the graph that ships;
    it takes some fifty predictions for each image.

    Args:
        bundle: that gave the prediction.
        prediction: to explain.
        predict: in place of the bundle's own, such as one that takes fewer images at once.
    """
    # Imported here: only explanations need them, and they take a while to import.
    from PIL import Image

    from darkroom.drawing.pictures import overlay
    from darkroom.inference.occlusion import occlusion

    label = np.array([bundle.classes.names.index(prediction.label)], np.int64)
    (heat,) = occlusion(predict or bundle.predict, prediction.pixels[None], label)
    png = io.BytesIO()
    Image.fromarray(overlay(prediction.pixels, heat)).save(png, "PNG")
    return png.getvalue()


def write_heatmap(bundle: Bundle, prediction: Prediction, number: int, folder: Path) -> Path:
    """Write a heat map, as `heatmap_png` makes it.

    Args:
        bundle, prediction: as in `heatmap_png`.
        number: of the image; the file name starts with it, since two folders may have files of one name.
        folder: where to write.

    Returns:
        The file.

    Raises:
        DarkroomError: when it can't be written.
    """
    path = folder / f"{number:05}-{Path(prediction.path).stem[:STEM]}.png"
    try:
        path.write_bytes(heatmap_png(bundle, prediction))
    except OSError as error:
        raise DarkroomError(f"{folder} can't hold heat maps: {error.strerror or error}; give another folder") from None
    return path
