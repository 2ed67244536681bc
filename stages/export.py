"""Write the bundle that ships, and prove that it answers as what was evaluated.

Reads: models/train/, models/evaluate/calibration.json, models/quantize/, manifest, shards and class list of data/ingest/,
data/preprocess/, predictions.parquet and metrics.json of reports/evaluate/.
Writes: models/export/: model.onnx, the smaller graph if one won, model.tflite and model.int8.tflite unless export.tflite is
off, model.json, classes.json, calibration.json, reference.json, software.json, MODEL_CARD.md, bundle.json;
reports/export/parity.json.
Costs: one decoding for each test image, up to export.parity_images, and one forward pass through each model; a conversion to
TFLite of half a minute.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from darkroom.bundle.bundle import CALIBRATION, CLASSES, FLOAT_GRAPH, REFERENCE, SOFTWARE, SPEC, load_bundle, seal
from darkroom.bundle.card import model_card
from darkroom.bundle.drift_reference import write_reference
from darkroom.bundle.finalize import ship_graph
from darkroom.bundle.parity_report import Limits, certificate, require_parity
from darkroom.bundle.parity_table import parity_table
from darkroom.bundle.reference_predictions import load_evaluated, replay
from darkroom.bundle.software import write_software
from darkroom.bundle.tflite import TFLITE, TFLITE_INT8, converter_versions, write_tflite
from darkroom.bundle.tflite_session import TFLiteSession
from darkroom.compression.int8 import calibration_rows
from darkroom.compression.parity import compare
from darkroom.images.pack import load_packed
from darkroom.model.classes import load_classes
from darkroom.network.load import load_model
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.stage import stage
from darkroom.settings.base import read_section
from darkroom.settings.export import Export
from darkroom.settings.quantize import Quantize
from darkroom.statistics.temperature import load_calibration

MODEL, QUANTIZED = Path("models/train"), Path("models/quantize")
CALIBRATED = Path("models/evaluate/calibration.json")
INGEST, ARRAYS, EVALUATED = Path("data/ingest"), Path("data/preprocess"), Path("reports/evaluate")
OUT, REPORTS = Path("models/export"), Path("reports/export")

# Where the Makefile puts the converter's environment; the same variable, so that both look at one place.
CONVERTER = Path(os.environ.get("VENV_TFLITE") or ".venv-tflite")


def run(
    model: Path,
    calibrated: Path,
    quantized: Path,
    ingest: Path,
    arrays: Path,
    evaluated: Path,
    out: Path,
    reports: Path,
    parity_images: int,
    limits: Limits,
    calibration_images: int,
    converter: Path | None,
) -> None:
    """Write the bundle, open it as a user would, and hold its answers against those of the evaluated model.

    Args:
        model: the folder with the weights and `model.json`.
        calibrated: the `calibration.json` that evaluate wrote.
        quantized: the folder with the graphs and the verdict.
        ingest: the folder with manifest, shards and class list.
        arrays: the folder with the arrays of each split.
        evaluated: the folder with predictions and metrics.
        out: the folder for the bundle.
        reports: the folder for the certificate.
        parity_images: test images to answer, at most.
        limits: how far an answer may lie from that of the evaluated model.
        calibration_images: training images that set the ranges of the INT8 TFLite file, at most.
        converter: the environment that converts to TFLite; None makes no TFLite files.

    Raises:
        DarkroomError: when the bundle does not answer as the evaluated model did, with the numbers, or when the network can't
            be converted; nothing is written then.
    """
    network, spec = load_model(model)
    classes, calibration = load_classes(ingest / "classes.json"), load_calibration(calibrated)
    versions = converter_versions(converter) if converter else {}
    classes.require_same(spec.classes.names, str(model))
    verdict, metrics = (_read(path) for path in (quantized / "verdict.json", evaluated / "metrics.json"))
    tested = load_evaluated(ingest, arrays / "test", evaluated / "predictions.parquet", classes, parity_images)
    graphs = list(dict.fromkeys((FLOAT_GRAPH, verdict["graph"])))
    with whole_folder(out) as folder, whole_folder(reports) as report:
        for name in graphs:
            ship_graph(quantized / name, folder / name, spec, calibration, model / "weights.safetensors")
        if converter:
            train = load_packed(arrays / "train")
            images = np.asarray(train.images[calibration_rows(train.keys(), calibration_images)])
            write_tflite(network, spec, calibration.temperature, images, converter, folder)
        spec.save(folder / SPEC)
        classes.save(folder / CLASSES)
        calibration.save(folder / CALIBRATION)
        write_software(folder / SOFTWARE, spec)
        write_reference(folder / REFERENCE, folder / graphs[-1], classes, calibration, ingest, arrays / "validation")
        seal(folder, graphs[-1])
        bundles = {name: load_bundle(folder, graph=name) for name in graphs}
        models = {name: bundle.predict for name, bundle in bundles.items()}
        models |= {name: TFLiteSession(folder / name).predict for name in (TFLITE, TFLITE_INT8) if converter}
        answers = replay(bundles[FLOAT_GRAPH], list(models.values()), tested, ingest / "shards")
        found = {
            name: compare(tested.probabilities, given, tested.labels)
            for name, given in zip(models, answers, strict=True)
        }
        left_out = require_parity(found, tested, limits)
        write_json(report / "parity.json", certificate(found, tested, limits, left_out, folder, versions))
        for name in left_out:
            (folder / name).unlink()
        # The card tells what came out, so it joins the bundle after the check.
        shipped = {name: parity for name, parity in found.items() if name not in left_out}
        card = model_card(spec, metrics, calibration, verdict["reason"], shipped, graphs[-1], left_out)
        (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        seal(folder, graphs[-1])
    print(parity_table(found, tested, graphs[-1], left_out))
    print(f"  bundle: {out}, answers with {graphs[-1]}")
    for name, reason in left_out.items():
        print(f"  {name} is left out: {reason}")


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def main() -> None:
    with stage("export"):
        settings = read_section(Export)
        run(
            MODEL,
            CALIBRATED,
            QUANTIZED,
            INGEST,
            ARRAYS,
            EVALUATED,
            OUT,
            REPORTS,
            settings.parity_images,
            Limits(settings.max_probability_difference, settings.max_label_disagreement),
            # The same images as in quantize.
            read_section(Quantize).calibration_images,
            CONVERTER if settings.tflite else None,
        )


if __name__ == "__main__":
    main()
