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
from darkroom.compression.parity import Parity, compare
from darkroom.compression.replay import Evaluated, load_evaluated, replay
from darkroom.errors import DarkroomError
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
DIGITS = 6


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
    tested = load_evaluated(ingest / "manifest.parquet", arrays, predictions, classes, parity_images)
    with whole_folder(out) as folder, whole_folder(reports) as report:
        for name in graphs:
            shutil.copyfile(quantized / name, folder / name)
        spec.save(folder / SPEC)
        classes.save(folder / CLASSES)
        (folder / "MODEL_CARD.md").write_text(model_card(spec, metrics, verdict), encoding="utf-8")
        seal(folder, graphs[-1], package_versions(MAKERS))
        bundles = [load_bundle(folder, graph=name) for name in graphs]
        answers = replay(bundles, tested, ingest / "shards")
        found = {
            name: compare(tested.probabilities, given, tested.labels)
            for name, given in zip(graphs, answers, strict=True)
        }
        _require_parity(found, tested, max_probability_difference, max_label_disagreement)
        write_json(report / "parity.json", _certificate(tested, found, limits))
    print(_table(tested, found, graphs[-1]))
    print(f"  bundle: {out}, answers with {graphs[-1]}")


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _require_parity(
    found: dict[str, Parity], tested: Evaluated, most_difference: float, most_disagreement: float
) -> None:
    """Stop when a graph is outside its limit; `not <=` rather than `>`, so that NaN is outside too."""
    faults = []
    exact = found[FLOAT_GRAPH]
    if not exact.largest_difference <= most_difference:
        faults.append(
            f"{FLOAT_GRAPH}: a probability differs by {exact.largest_difference:.6f}, {most_difference:g} allowed "
            f"(at {tested.paths[exact.worst]}; labels differ on {exact.label_disagreement:.2%}, accuracy is "
            f"{exact.accuracy_after:.2%} instead of {exact.accuracy_before:.2%})"
        )
    small = found.get(INT8_GRAPH)
    if small and not small.label_disagreement <= most_disagreement:
        faults.append(
            f"{INT8_GRAPH}: labels differ on {small.label_disagreement:.2%}, {most_disagreement:.2%} allowed (accuracy is "
            f"{small.accuracy_after:.2%} instead of {small.accuracy_before:.2%})"
        )
    if faults:
        raise DarkroomError(
            f"parity: on {exact.images:,} test images the bundle does not answer as the evaluated model did, so it was not "
            f"written:\n" + "\n".join(f"  - {fault}" for fault in faults)
        )


def _certificate(tested: Evaluated, found: dict[str, Parity], limits: dict[str, float]) -> dict[str, Any]:
    """The content of `parity.json`. Differences below a millionth become 0: their last bits are the processor's."""
    return {
        "images": len(tested.paths),
        "of": tested.available,
        "pixels_equal": True,
        "evaluated_accuracy": round(found[FLOAT_GRAPH].accuracy_before, DIGITS),
        "limits": limits,
        "graphs": {
            name: {
                "largest_difference": round(parity.largest_difference, DIGITS),
                "mean_difference": round(parity.mean_difference, DIGITS),
                "label_agreement": round(1 - parity.label_disagreement, DIGITS),
                "accuracy": round(parity.accuracy_after, DIGITS),
                "accuracy_difference": round(-parity.accuracy_loss, DIGITS),
            }
            for name, parity in found.items()
        },
    }


def _table(tested: Evaluated, found: dict[str, Parity], served: str) -> str:
    """The graphs beside the evaluated model, for the terminal."""
    lines = [
        f"export: {len(tested.paths):,} of {tested.available:,} test images from file bytes, pixels equal",
        f"  {'':15}  {'largest difference':>18}  {'mean':>8}  {'labels equal':>12}  {'accuracy':>8}",
        f"  {'evaluated':15}  {'':18}  {'':8}  {'':12}  {found[FLOAT_GRAPH].accuracy_before:8.2%}",
    ]
    for name, parity in found.items():
        lines.append(
            f"  {name:15}  {parity.largest_difference:18.6f}  {parity.mean_difference:8.6f}"
            f"  {1 - parity.label_disagreement:12.2%}  {parity.accuracy_after:8.2%}{'  ships' if name == served else ''}"
        )
    return "\n".join(lines)


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
