"""Score the predictions: calibrate on validation, score the test images many ways, look for what the mistakes have in common.

Reads: data/predict/predictions.parquet, and nothing else: every number is a function of that table.
Writes: models/evaluate/calibration.json; reports/evaluate/: metrics.json, per_class.json, curves.json, details.json,
    predictions.parquet, label_suspects.csv, and the tables of `dvc plots` in plots/. `report` draws the page.
Costs: seconds; no network runs.
"""

from dataclasses import asdict
from pathlib import Path

from darkroom.evaluation.error_analysis import analyse_errors
from darkroom.evaluation.evaluation import calibrate, calibration_images, evaluate
from darkroom.evaluation.label_errors import write_suspects
from darkroom.evaluation.metrics_json import summary_lines, write_evaluation
from darkroom.evaluation.tables import write_confusion, write_plots, write_predictions
from darkroom.inference.predictions import read_predictions
from darkroom.model.provenance import code_version
from darkroom.runtime import paths
from darkroom.runtime.files import whole_files, whole_folder
from darkroom.runtime.stage import stage
from darkroom.settings.read import ChangedSetting, changed_settings, read_params
from darkroom.statistics.calibration import temperature_interval
from darkroom.statistics.temperature import softmax


def run(
    *,
    predicted: Path,
    out: Path,
    reports: Path,
    confidence: float,
    target_precision: float,
    settings: list[ChangedSetting],
    code: str,
) -> None:
    """Score a model on the test split.

    Args:
        predicted: the folder that predict wrote.
        out: the folder for `calibration.json`.
        reports: the folder for the numbers and tables.
        confidence: of every interval, 0.95 for 95%.
        target_precision: share of the answers given that should be correct.
        settings: those that differ from the shipped ones.
        code: the version of this stage's code.

    Raises:
        DarkroomError: when there are no predictions; nothing is written then.
    """
    predictions = read_predictions(predicted)
    model, test = predictions.run, predictions.test
    logits, labels, out_of_fold = calibration_images(predictions)
    calibration = calibrate(logits, labels, target_precision, confidence, out_of_fold)
    interval = temperature_interval(logits, labels, calibration.temperature, confidence)
    found = evaluate(test.answers, test.labels, model.classes, calibration, interval, confidence)
    errors = analyse_errors(predictions, calibration.temperature, confidence)
    probabilities = softmax(test.answers, calibration.temperature)
    provenance = {
        "data_version": model.data_version,
        "code_version": code,
        "training_code_version": model.training_code_version,
        "class_hash": model.class_hash,
    }
    with whole_folder(out) as folder:
        calibration.save(folder / "calibration.json")
    with whole_files(reports) as folder:
        changed = [asdict(each) for each in settings]
        write_evaluation(folder, found, errors, model.explanation, provenance, changed)
        paths = test.rows["path"].to_pylist()
        write_predictions(folder / "predictions.parquet", test.ids, paths, test.labels, probabilities, model.classes)
        write_suspects(errors.suspects, folder / "label_suspects.csv")
        (folder / "plots").mkdir()
        write_plots(folder / "plots", found, errors.robustness)
        write_confusion(folder / "plots/confusion.csv", model.classes, test.labels, probabilities.argmax(axis=1))
    print(summary_lines(found, errors, f"{model.network}, epoch {model.epoch}"))


def main() -> None:
    with stage("evaluate"):
        params = read_params()
        run(
            predicted=paths.PREDICTIONS,
            out=paths.CALIBRATION.parent,
            reports=paths.EVALUATE_REPORTS,
            confidence=params.evaluate.confidence,
            target_precision=params.evaluate.target_precision,
            settings=changed_settings(params),
            code=code_version("evaluate"),
        )


if __name__ == "__main__":
    main()
