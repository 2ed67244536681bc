"""What is normal for a model: how it answers pictures that it has not learnt, and what such pictures are like.

Whoever watches a model at work holds what comes in, and what it answers, against these numbers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.bundle.features import with_embedding
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import Packed, load_packed
from darkroom.inference.session import OUTPUT, Float32s, open_session, values
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json
from darkroom.statistics.temperature import Calibration

# Validation images at most: a share of them is known to 1.6 points then, and a large network needs a minute or two.
IMAGES = 4_096
# Bins with as many images each, as far as values allow: what falls between is seen as well in rare places as in common ones.
BINS = 20
PROPERTIES = ("width", "height", "bytes", "brightness", "contrast", "sharpness")


def write_reference(
    path: Path, graph: Path, classes: ClassList, calibration: Calibration, ingest: Path, arrays: Path
) -> None:
    """Let the graph that ships answer validation images, and write what is normal; the same inputs give the same bytes.

    Args:
        path: the file to write, `reference.json`.
        graph: the ONNX file that answers; live answers come from it too, so no other would do.
        classes: the class list.
        calibration: of the model.
        ingest: the folder with the manifest.
        arrays: the folder `data/preprocess/validation`: images that were not trained on, for on those it is too sure.

    Raises:
        DarkroomError: when there is no validation image.
    """
    packed = load_packed(arrays)
    if not len(packed.ids):
        raise DarkroomError(
            f"{arrays} holds no image to learn from what is normal: raise split.validation in params.yaml"
        )
    few = slice(None, None, -(-len(packed.ids) // IMAGES))
    chosen = Packed(packed.images[few], packed.labels[few], packed.ids[few])
    model, embedding = with_embedding(graph)
    found = values(open_session(model), [OUTPUT, *([embedding] if embedding else [])], chosen.images, "reference")
    confidence = found[0].max(axis=1)
    threshold = calibration.threshold
    write_json(
        path,
        {
            "images": len(chosen.ids),
            "of": len(packed.ids),
            "split": "validation",
            "graph": graph.name,
            "classes": _class_shares(classes.names, chosen.labels, found[0].argmax(axis=1)),
            "confidence": summary(confidence),
            "abstained": _short(float((confidence < threshold).mean()), 6) if threshold is not None else 0.0,
            "embedding": _moments(embedding, found[1]) if embedding else None,
            "properties": _properties(read_manifest(ingest, ["id", *PROPERTIES]), chosen.ids),
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
        "mean": _short(exact.mean(), 6),
        "std": _short(exact.std(), 6),
        # Nine digits hold any float32, and the bytes of any file below a gigabyte.
        "edges": [_short(edge, 9) for edge in edges],
        "counts": np.histogram(exact, edges)[0].tolist(),
    }


def _class_shares(
    names: Sequence[str], labels: npt.NDArray[np.int64], answers: npt.NDArray[np.int64]
) -> list[dict[str, Any]]:
    shares = [np.bincount(side, minlength=len(names)) / len(labels) for side in (labels, answers)]
    return [
        {"name": name, "labelled": _short(labelled, 6), "predicted": _short(predicted, 6)}
        for name, labelled, predicted in zip(names, *shares, strict=True)
    ]


def _moments(name: str, embeddings: Float32s) -> dict[str, Any]:
    """Mean and deviation of each of the embedding's numbers, float32 [N, D]."""
    exact = embeddings.reshape(len(embeddings), -1).astype(np.float64)
    return {
        "value": name,
        "size": exact.shape[1],
        "mean": [_short(number, 6) for number in exact.mean(axis=0)],
        "std": [_short(number, 6) for number in exact.std(axis=0)],
    }


def _properties(manifest: pa.Table, ids: npt.NDArray[np.bytes_]) -> dict[str, Any]:
    """What ingest measured of the images' own files, and their aspect."""
    wanted = pa.array([image_id.decode("ascii") for image_id in ids.tolist()])
    rows = manifest.take(pc.index_in(wanted, manifest["id"].combine_chunks()))
    columns = {name: rows[name].to_numpy() for name in PROPERTIES}
    columns["aspect"] = columns["width"] / columns["height"]
    return {name: summary(column) for name, column in columns.items()}


def _short(number: float, digits: int) -> float:
    """With so many significant digits: the last bits are the processor's."""
    return float(f"{number:.{digits}g}")
