"""Run the network once over all that is scored or explained; nothing behind this stage but quantize and export runs one.

Reads: models/train/, the arrays of data/preprocess/, manifest, class list and label fixes of data/ingest/,
    data/split/splits.parquet.
Writes: data/predict/: predictions.parquet (logits of validation, test and damaged test images, out-of-fold answers to training
    images), heatmaps.npy, damaged.npy and explained.json; models/predict/: network.onnx, a graph that gives logits, for all
    that ships, and those of the validation images. Fills .darkroom/tflite for export, unless export.tflite is off.
Costs: some seconds for the graph; a pass in float32 over validation and test images; in bfloat16, where there is such, 21 over
    `evaluate.robustness_images` test images, and one over the training images unless `train` left answers to them.
"""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from darkroom.bundle.tflite_conversion import CACHE, CONVERTER, Conversion
from darkroom.bundle.tflite_program import write_program
from darkroom.inference.device import choose_device, keep_freed_memory
from darkroom.inference.explain import explain_test_images
from darkroom.inference.export import export_network
from darkroom.inference.inputs import open_splits, require_trained_on
from darkroom.inference.logits import damaged_logits, damaged_rows, float32_logits
from darkroom.inference.network_graph import NETWORK, VALIDATION_LOGITS
from darkroom.inference.out_of_fold import training_answers
from darkroom.inference.predictions import ModelRun, write_predictions
from darkroom.model.classes import load_classes
from darkroom.network.folding import fold_batch_norms
from darkroom.network.load import load_model
from darkroom.runtime.files import whole_folder
from darkroom.runtime.paths import ARRAYS, INGEST, MODEL, NETWORK_GRAPH, PREDICTIONS, SPLIT_TABLE
from darkroom.runtime.stage import stage
from darkroom.settings.base import read_section
from darkroom.settings.evaluate import Evaluate
from darkroom.settings.export import Export
from darkroom.settings.quantize import Quantize


def run(
    *,
    model: Path,
    arrays: Path,
    ingest: Path,
    splits: Path,
    out: Path,
    graphs: Path,
    gallery: int,
    robustness_images: int | Literal["auto"],
    conversion: Conversion | None = None,
) -> None:
    """Predict.

    Args:
        model: the folder with the weights and `model.json`.
        arrays: the folder with the arrays of each split.
        ingest: the folder with manifest, class list and applied label fixes.
        splits: the split table.
        out, graphs: the folders for predictions and heat maps, and for the network as a graph.
        gallery: how many images each gallery of the report shows.
        robustness_images: how many test images are damaged, at most; 0 for none, `auto` for what `damaged_rows` finds.
        conversion: to TFLite, which goes on beside the rest; None: there is none.

    Raises:
        DarkroomError: when model, arrays, manifest and splits do not belong together, or there can be no graph of the network;
            nothing is written then.
    """
    keep_freed_memory()
    classes = load_classes(ingest / "classes.json")
    network, spec = load_model(model)
    classes.require_same(spec.classes.names, str(model))
    require_trained_on(model, spec, ingest, splits)
    opened, device = open_splits(arrays, ingest, splits, classes), choose_device()
    test, train = opened["test"], opened["train"]
    rows = damaged_rows(test.images, robustness_images)
    with whole_folder(graphs) as graph_folder, whole_folder(out) as folder:
        folded = fold_batch_norms(network, torch.from_numpy(np.array(test.images[:1])))
        if conversion:
            conversion.begin(partial(write_program, folded, spec.preprocessing))
        export_network(folded, spec, graph_folder / NETWORK)
        images = {split: opened[split].images for split in ("validation", "test")}
        answers = float32_logits(network, graph_folder / NETWORK, images, device)
        np.save(graph_folder / VALIDATION_LOGITS, answers["validation"])
        cross_validated, folds = training_answers(model, network, train.images, train.labels, len(classes), device)
        folded = folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        damaged, precision = damaged_logits(folded, test.images, test.ids, rows, device)
        explained = explain_test_images(folded, test, answers["test"], gallery, device)
        described = ModelRun(
            network=spec.network,
            epoch=spec.epoch,
            classes=classes.names,
            class_hash=classes.hash,
            data_version=spec.data_version,
            training_code_version=spec.code_version,
            damaged_precision=precision,
            explanation=explained.method,
            cross_validated=cross_validated,
        )
        write_predictions(folder, described, opened, answers, folds, damaged)
        explained.save(folder)
        if conversion:
            conversion.folder()
    counts = ", ".join(f"{len(opened[split].ids):,} {split}" for split in ("test", "validation", "train"))
    print(f"predict: {spec.network}, epoch {spec.epoch}; {counts} images, {len(rows):,} of test damaged in 20 ways")


def main() -> None:
    with stage("predict"):
        settings, images = read_section(Evaluate), read_section(Quantize).calibration_images
        begin = partial(run, model=MODEL, arrays=ARRAYS, ingest=INGEST, splits=SPLIT_TABLE, gallery=settings.gallery)
        begin = partial(begin, robustness_images=settings.robustness_images, graphs=NETWORK_GRAPH.parent)
        tflite = partial(Conversion, MODEL, CONVERTER, ARRAYS / "train", images, CACHE)
        with tflite() if read_section(Export).tflite else nullcontext() as conversion:
            begin(out=PREDICTIONS, conversion=conversion)


if __name__ == "__main__":
    main()
