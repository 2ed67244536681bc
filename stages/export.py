"""Write the bundle, and check that it gives the predictions of the evaluated model.

Reads: models/train/, models/select/, models/evaluate/calibration.json, models/quantize/, manifest, shards and class list of
data/ingest/, data/preprocess/, predictions.parquet and metrics.json of reports/evaluate/.
Writes: models/export/ with the files that docs/bundle.md lists, TFLite unless export.tflite is off; reports/export/parity.json.
Costs: a decoding and a pass through each model for up to export.parity_images test images; some twenty seconds of one core for
TFLite, unless .darkroom/tflite has it, which predict fills.
"""

from contextlib import nullcontext
from functools import partial
from pathlib import Path

from darkroom.bundle import bundle as names
from darkroom.bundle.card import METRICS, model_card
from darkroom.bundle.drift_reference import write_drift_reference
from darkroom.bundle.graph import finalize_graph
from darkroom.bundle.parity_report import ParityLimits, check_parity, parity_report, parity_table
from darkroom.bundle.reference_predictions import load_reference
from darkroom.bundle.software import write_software
from darkroom.bundle.tflite import TFLITE, TFLITE_INT8
from darkroom.bundle.tflite_conversion import CACHE, CONVERTER, Conversion, converter_versions, write_tflite
from darkroom.model.classes import load_classes
from darkroom.model.spec import load_spec
from darkroom.runtime import paths
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.inputs import read_input_json
from darkroom.runtime.stage import stage
from darkroom.selection.choice import read_choice
from darkroom.settings.base import read_section
from darkroom.settings.export import Export
from darkroom.settings.quantize import Quantize
from darkroom.statistics.temperature import load_calibration
from serving.offline.browser import EvaluatedImages, require_page_check
from serving.parity import check_answers


def run(
    *,
    model: Path,
    selected: Path,
    calibrated: Path,
    quantized: Path,
    ingest: Path,
    arrays: Path,
    evaluated: Path,
    out: Path,
    reports: Path,
    settings: Export,
    calibration_images: int,
    converter: Path,
    cache: Path = CACHE,
) -> None:
    """Write the bundle, open it as a user would, and compare its predictions with those of the evaluated model.

    Args:
        model, selected, quantized, ingest, arrays, evaluated: the folders that the stages before wrote.
        calibrated: the `calibration.json` that evaluate wrote.
        out, reports, settings: the folders for the bundle and for the parity report; the section of the settings.
        calibration_images: of quantize, which set the ranges of the INT8 TFLite file too, at most.
        converter, cache: as for `Conversion`.

    Raises:
        DarkroomError: when predictions differ too much, or the network can't be converted; nothing is written then.
    """
    spec = load_spec(model / "model.json")
    classes, calibration = load_classes(ingest / "classes.json"), load_calibration(calibrated)
    versions = converter_versions(converter) if settings.tflite else {}
    require_page_check(settings.browser)
    classes.require_same(spec.classes.names, str(model))
    decision = read_input_json(quantized / "verdict.json", {"graph": str, "reason": str})
    choice = read_choice(selected)
    metrics, predictions = read_input_json(evaluated / "metrics.json", METRICS), evaluated / "predictions.parquet"
    reference = load_reference(ingest, arrays / "test", predictions, classes, settings.parity_images)
    limits = ParityLimits(settings.max_probability_difference, settings.max_label_disagreement)
    graphs = list(dict.fromkeys((names.FLOAT_GRAPH, served := str(decision["graph"]))))
    given = model, converter, arrays / "train", calibration_images, cache
    with (
        Conversion(*given) if settings.tflite else nullcontext() as conversion,
        whole_folder(out) as folder,
        whole_folder(reports) as report,
    ):
        if conversion:
            conversion.begin()
        for name in graphs:
            finalize_graph(quantized / name, folder / name, spec, calibration, model / "weights.safetensors")
        names.write_facts(folder, spec, classes, calibration)
        write_software(folder / names.SOFTWARE, spec)
        write_drift_reference(folder, served, classes, calibration, ingest, arrays / "validation")
        names.seal(folder, served)
        found, left_out, predicted = check_parity(folder, graphs, reference, ingest / "shards", limits)
        tested = EvaluatedImages(ingest, arrays / "test", predictions, settings.parity_images)
        asked, sentences = check_answers(folder, reference, predicted[served], classes.names, tested, settings.browser)
        if conversion:
            write_tflite(conversion.folder(), folder, spec, calibration)
            names.seal(folder, served)
            small, left_out, _ = check_parity(folder, (TFLITE, TFLITE_INT8), reference, ingest / "shards", limits)
            found |= small
        write_json(report / "parity.json", parity_report(found, reference, limits, left_out, folder, versions) | asked)
        for name in left_out:
            (folder / name).unlink()
        # After the check, since it has the results.
        card = model_card(spec, choice, metrics, calibration, decision["reason"], found, served, left_out, sentences)
        (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        names.seal(folder, served)
    lines = [*sentences, f"bundle: {out}, predicts with {served}"]
    print(parity_table(found, reference, served, left_out), *lines, sep="\n  ")


def main() -> None:
    with stage("export"):
        settings, images = read_section(Export), read_section(Quantize).calibration_images
        begin = partial(run, model=paths.MODEL, selected=paths.SELECTION, calibrated=paths.CALIBRATION)
        begin = partial(begin, ingest=paths.INGEST, arrays=paths.ARRAYS, evaluated=paths.EVALUATE_REPORTS)
        begin = partial(begin, settings=settings, calibration_images=images)
        begin(quantized=paths.QUANTIZED, converter=CONVERTER, out=paths.BUNDLE, reports=paths.EXPORT_REPORTS)


if __name__ == "__main__":
    main()
