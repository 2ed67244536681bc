"""The drift reference: statistics of validation images and of the predictions for them, and the rows that the monitor ranks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.bundle.bundle import REFERENCE
from darkroom.bundle.graph_features import with_features
from darkroom.bundle.reference_rows import PROPERTIES, write_reference_rows
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import Packed, load_packed
from darkroom.inference.session import OUTPUT, values_of
from darkroom.model.classes import ClassList
from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json
from darkroom.statistics.temperature import Calibration

# Validation images at most: a fraction of them is known to 1.6 points then, and a large network needs a minute or two.
IMAGES = 4_096
# Bins with as many images each, as far as values allow, so that rare values are resolved as well as common ones.
BINS = 20
MEASURED = ("width", "height", "bytes", "brightness", "contrast", "sharpness")


def write_drift_reference(
    folder: Path, served: str, classes: ClassList, calibration: Calibration, ingest: Path, arrays: Path
) -> None:
    """Predict validation images with the graph that ships, and write the statistics; the same inputs give the same bytes.

    Args:
        folder: the bundle, with the graph; `reference.json` and `reference.npz` are written there.
        served: file name of the graph that predicts; live predictions come from it too, so no other would do.
        classes: the class list.
        calibration: of the model.
        ingest: the folder with the manifest.
        arrays: the folder `data/preprocess/validation`: images that were not trained on, where it would be too confident.

    Raises:
        DarkroomError: when there is no validation image.
    """
    packed = load_packed(arrays)
    if not len(packed.ids):
        raise DarkroomError(f"{arrays} holds no image for the drift reference: raise split.validation in params.yaml")
    sample = slice(None, None, -(-len(packed.ids) // IMAGES))
    chosen = Packed(packed.images[sample], packed.labels[sample], packed.ids[sample])
    model, features = with_features(folder / served)
    found = values_of(model, [OUTPUT, *([features] if features else [])], chosen.images, "reference")
    confidence = found[0].max(axis=1)
    threshold = calibration.threshold
    properties = _properties(read_manifest(ingest, ["id", *MEASURED]), chosen.ids)
    columns = np.stack([properties[name] for name in PROPERTIES], axis=1).astype(np.float32)
    write_reference_rows(folder, found[0], chosen.labels, columns, _rows(found[1]) if features else None)
    write_json(
        folder / REFERENCE,
        {
            "images": len(chosen.ids),
            "of": len(packed.ids),
            "split": "validation",
            "graph": served,
            "classes": _class_balance(classes.names, chosen.labels, found[0].argmax(axis=1)),
            "confidence": summary(confidence),
            "abstained": _rounded(float((confidence < threshold).mean()), 6) if threshold is not None else 0.0,
            "embedding": _moments(features, found[1]) if features else None,
            "properties": {name: summary(properties[name]) for name in (*MEASURED, "aspect")},
        },
    )


def summary(numbers: npt.NDArray[Any]) -> dict[str, Any]:
    """Moments of a number and a histogram of it.

    Args:
        numbers: [N], N at least 1, finite.

    Returns:
        `mean`, `std`; `edges`, ascending, from the least to the greatest value, and `counts`, one fewer: bin `i` holds
        `edges[i] <= x < edges[i + 1]`, the last one its upper edge too.
    """
    exact = numbers.astype(np.float64)
    edges = np.unique(np.quantile(exact, np.linspace(0, 1, BINS + 1), method="inverted_cdf"))
    if len(edges) == 1:
        edges = edges.repeat(2)
    return {
        "mean": _rounded(exact.mean(), 6),
        "std": _rounded(exact.std(), 6),
        # Nine digits hold any float32, and the bytes of any file below a gigabyte.
        "edges": [_rounded(edge, 9) for edge in edges],
        "counts": np.histogram(exact, edges)[0].tolist(),
    }


def _class_balance(names: Sequence[str], labels: Int64s, predictions: Int64s) -> list[dict[str, Any]]:
    fractions = [np.bincount(side, minlength=len(names)) / len(labels) for side in (labels, predictions)]
    return [
        {"name": name, "labelled": _rounded(labelled, 6), "predicted": _rounded(predicted, 6)}
        for name, labelled, predicted in zip(names, *fractions, strict=True)
    ]


def _moments(name: str, features: Float32s) -> dict[str, Any]:
    """Mean and deviation of each feature, float32 [N, D]."""
    exact = _rows(features).astype(np.float64)
    return {
        "value": name,
        "size": exact.shape[1],
        "mean": [_rounded(number, 6) for number in exact.mean(axis=0)],
        "std": [_rounded(number, 6) for number in exact.std(axis=0)],
    }


def _rows(features: Float32s) -> Float32s:
    """Float32 [N, D]."""
    return features.reshape(len(features), -1)


def _properties(manifest: pa.Table, ids: npt.NDArray[np.bytes_]) -> dict[str, npt.NDArray[Any]]:
    """What ingest measured of the images' own files, and their aspect; each [N]."""
    id_array = pa.array([image_id.decode("ascii") for image_id in ids.tolist()])
    rows = manifest.take(pc.index_in(id_array, manifest["id"].combine_chunks()))
    columns = {name: rows[name].to_numpy() for name in MEASURED}
    return columns | {"aspect": columns["width"] / columns["height"]}


def _rounded(number: float, digits: int) -> float:
    """To so many significant digits: the last bits differ between processors."""
    return float(f"{number:.{digits}g}")
