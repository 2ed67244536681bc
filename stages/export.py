"""Write the bundle that ships, and prove that it answers as what was evaluated.

Reads: models/train/model.json, models/quantize/, manifest, shards and class list of data/ingest/, data/preprocess/test/,
predictions.parquet and metrics.json of reports/evaluate/.
Writes: models/export/: model.onnx, model.int8.onnx if it won, model.json, classes.json, MODEL_CARD.md, bundle.json;
reports/export/parity.json.
Costs: one decoding and one forward pass for each test image, up to export.parity_images.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from darkroom.bundle import CLASSES, FLOAT_GRAPH, INT8_GRAPH, SPEC, load_bundle, seal
from darkroom.classes import load_classes
from darkroom.compression.certificate import certificate, parity_table, require_parity
from darkroom.compression.parity import compare
from darkroom.compression.replay import load_evaluated, replay
from darkroom.model import load_spec
from darkroom.params import read_params
from darkroom.provenance import package_versions
from darkroom.reporting.card import model_card
from darkroom.stage import stage
from darkroom.writing import whole_folder, write_json

MODEL, QUANTIZED = Path("models/train"), Path("models/quantize")
INGEST, ARRAYS, EVALUATED = Path("data/ingest"), Path("data/preprocess/test"), Path("reports/evaluate")
OUT, REPORTS = Path("models/export"), Path("reports/export")

MAKERS = ("numpy", "onnx", "onnxruntime", "onnxscript", "pillow", "torch")


def run(
    model: Path,
    quantized: Path,
    ingest: Path,
    arrays: Path,
    evaluated: Path,
    out: Path,
    reports: Path,
    parity_images: int,
    max_probability_difference: float,
    max_label_disagreement: float,
) -> None:
    """Write the bundle, open it as a user would, and hold its answers against those of the evaluated model.

    Args:
        model: the folder with `model.json`.
        quantized: the folder with the graphs and the verdict.
        ingest: the folder with manifest, shards and class list.
        arrays: the folder with the test arrays.
        evaluated: the folder with predictions and metrics.
        out: the folder for the bundle.
        reports: the folder for the certificate.
        parity_images: test images to answer, at most.
        max_probability_difference: largest difference that any probability of the float graph may have.
        max_label_disagreement: share of images on which the INT8 graph, if it ships, may name another class.

    Raises:
        DarkroomError: when the bundle does not answer as the evaluated model did, with the numbers; nothing is written
            then.
    """
    spec, classes = load_spec(model / "model.json"), load_classes(ingest / "classes.json")
    classes.require_same(spec.classes.names, str(model))
    verdict, metrics = (_read(path) for path in (quantized / "verdict.json", evaluated / "metrics.json"))
    limits = {"probability_difference": max_probability_difference, "label_disagreement": max_label_disagreement}
    graphs = [FLOAT_GRAPH, INT8_GRAPH] if verdict["choice"] == "int8" else [FLOAT_GRAPH]
    predictions = evaluated / "predictions.parquet"
    tested = load_evaluated(ingest, arrays, predictions, classes, parity_images)
    with whole_folder(out) as folder, whole_folder(reports) as report:
        for name in graphs:
            shutil.copyfile(quantized / name, folder / name)
        spec.save(folder / SPEC)
        classes.save(folder / CLASSES)
        packages = package_versions(MAKERS)
        seal(folder, graphs[-1], packages)
        bundles = [load_bundle(folder, graph=name) for name in graphs]
        answers = replay(bundles, tested, ingest / "shards")
        found = {
            name: compare(tested.probabilities, given, tested.labels)
            for name, given in zip(graphs, answers, strict=True)
        }
        require_parity(found, tested, max_probability_difference, max_label_disagreement)
        write_json(report / "parity.json", certificate(found, tested, limits))
        # The card tells what came out, so it joins the bundle after the check.
        card = model_card(spec, metrics, verdict["reason"], found, graphs[-1])
        (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        seal(folder, graphs[-1], packages)
    print(parity_table(found, tested, graphs[-1]))
    print(f"  bundle: {out}, answers with {graphs[-1]}")


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def main() -> None:
    with stage("export"):
        params = read_params().export
        run(
            MODEL,
            QUANTIZED,
            INGEST,
            ARRAYS,
            EVALUATED,
            OUT,
            REPORTS,
            params.parity_images,
            params.max_probability_difference,
            params.max_label_disagreement,
        )


if __name__ == "__main__":
    main()
