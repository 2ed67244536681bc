"""Predict once, calibrate on validation, score the test images many ways, and explain the answers.

Reads: models/train/, the arrays of data/preprocess/, the curves of reports/train/, manifest, class list and label fixes of
data/ingest/, data/split/splits.parquet.
Writes: reports/evaluate/: predictions.parquet, metrics.json, per_class.json, curves.json, label_suspects.csv, the tables of
`dvc plots`, report.html; and models/evaluate/calibration.json.
Costs: a forward pass in float32 over validation and test images; in bfloat16, where the processor multiplies it, 21 over
`evaluate.robustness_images` test images and one over the training images, which are looked through for wrong labels.
"""

from dataclasses import asdict
from pathlib import Path

from darkroom.evaluation.calibrate import calibrate
from darkroom.evaluation.error_analysis import look_behind
from darkroom.evaluation.evaluation import evaluate
from darkroom.evaluation.label_errors import write_suspects
from darkroom.evaluation.metrics_json import curve_rows, metrics, write_confusion, write_plots
from darkroom.evaluation.page import Run, report_page
from darkroom.evaluation.scorecard import class_rows
from darkroom.evaluation.test_split import open_vault
from darkroom.evaluation.text import told
from darkroom.images.pack import load_packed
from darkroom.inference.device import choose_device
from darkroom.inference.logits import logits, write_predictions
from darkroom.model.classes import load_classes
from darkroom.model.provenance import code_version, data_version
from darkroom.network.load import load_model
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.stage import stage
from darkroom.settings.read import ChangedSetting, changed_settings, read_params
from darkroom.training.curves import read_curves

MODEL, ARRAYS, INGEST = Path("models/train"), Path("data/preprocess"), Path("data/ingest")
SPLITS, CURVES = Path("data/split/splits.parquet"), Path("reports/train")
OUT, REPORTS = Path("models/evaluate"), Path("reports/evaluate")


def run(
    model: Path,
    arrays: Path,
    ingest: Path,
    splits: Path,
    curves: Path,
    out: Path,
    reports: Path,
    confidence: float,
    gallery: int,
    target_precision: float,
    robustness_images: int,
    settings: list[ChangedSetting],
    code: str,
) -> None:
    """Score a model on the test split.

    Args:
        model: the folder with the weights and `model.json`.
        arrays: the folder with the arrays of each split.
        ingest: the folder with manifest, class list and applied label fixes.
        splits: the split table.
        curves: the folder that DVCLive wrote in training.
        out: the folder for `calibration.json`.
        reports: the folder for all that people read.
        confidence: of every interval, 0.95 for 95%.
        gallery: how many images each gallery of the report shows.
        target_precision: share of the answers given that should be right.
        robustness_images: how many test images are damaged, at most; 0 for none.
        settings: those that differ from the shipped ones.
        code: the version of this stage's code.

    Raises:
        DarkroomError: when model, arrays, manifest and splits do not belong together; nothing is written then.
    """
    classes = load_classes(ingest / "classes.json")
    network, spec = load_model(model)
    classes.require_same(spec.classes.names, str(model))
    data = data_version(ingest, splits)
    if spec.data_version != data:
        raise DarkroomError(
            f"{model} was trained on data version {spec.data_version}, and {splits} is of {data}, so that test images may "
            "have been trained on: run `dvc repro`"
        )
    held_out = open_vault(arrays, ingest, splits, classes)
    trained = read_curves(curves, spec.epoch)
    packed = {split: load_packed(arrays / split) for split in ("train", "validation")}
    validation, device = packed["validation"], choose_device()

    validated = logits(network, validation.images, device, "validation")
    calibration = calibrate(validated, validation.labels, target_precision, confidence)
    found = evaluate(
        logits(network, held_out.images, device, "test"), held_out.labels, classes.names, calibration, confidence
    )

    insights = look_behind(
        network, device, found, held_out, packed, validated, classes, ingest, gallery, robustness_images
    )
    provenance = {
        "data_version": data,
        "code_version": code,
        "training_code_version": spec.code_version,
        "class_hash": classes.hash,
    }
    page = report_page(found, insights, Run(spec, trained, held_out, packed, settings, provenance), gallery)
    with whole_folder(out) as kept, whole_folder(reports) as folder:
        calibration.save(kept / "calibration.json")
        write_predictions(folder / "predictions.parquet", held_out, found.probabilities, classes)
        head = {"test": found.card.headline, "confidence": confidence, "provenance": provenance}
        content = head | metrics(found, insights) | {"settings": [asdict(each) for each in settings]}
        write_json(folder / "metrics.json", content)
        write_json(folder / "per_class.json", [asdict(row) for row in class_rows(found.card, classes.names)])
        write_json(folder / "curves.json", curve_rows(found))
        write_suspects(insights.suspects, folder / "label_suspects.csv")
        write_confusion(folder / "confusion.csv", classes, held_out.labels, found.probabilities)
        write_plots(folder, found, insights.robustness)
        (folder / "report.html").write_text(page, encoding="utf-8")
    print(told(found, insights, classes.names, f"{spec.network}, epoch {spec.epoch}"))
    print(f"  report: {reports / 'report.html'}")


def main() -> None:
    with stage("evaluate"):
        params = read_params()
        run(
            MODEL,
            ARRAYS,
            INGEST,
            SPLITS,
            CURVES,
            OUT,
            REPORTS,
            **params.predict.model_dump(),
            **params.evaluate.model_dump(),
            settings=changed_settings(params),
            code=code_version("evaluate"),
        )


if __name__ == "__main__":
    main()
