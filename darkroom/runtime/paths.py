"""Where every stage of the line reads and writes, from the root of the repository.

`dvc.yaml` lists the same paths for DVC, and a test holds the two equal.
"""

from pathlib import Path

PARAMS_FILE = Path("params.yaml")
LABEL_FIXES = Path("data/label_fixes.csv")
INBOX = Path("data/inbox")
SURVEY = Path("data/survey")
CODE = Path("data/code")
INGEST = Path("data/ingest")
GROUPS = Path("data/validate/groups.parquet")
VALIDATE_REPORTS = Path("reports/validate")
SPLIT_TABLE = Path("data/split/splits.parquet")
EXCLUDED_IMAGES = Path("data/split/excluded.json")
SELECTION = Path("models/select")
ARRAYS = Path("data/preprocess")
MODEL = Path("models/train")
TRAIN_REPORTS = Path("reports/train")
PREDICTIONS = Path("data/predict")
NETWORK_GRAPH = Path("models/predict/network.onnx")
CALIBRATION = Path("models/evaluate/calibration.json")
EVALUATE_REPORTS = Path("reports/evaluate")
QUANTIZED = Path("models/quantize")
QUANTIZE_REPORTS = Path("reports/quantize")
BUNDLE = Path("models/export")
# A link to the bundle of the champion, which the service follows.
CHAMPION = Path("models/serving/current")
EXPORT_REPORTS = Path("reports/export")

# Not tracked: measured times, what changed since the last commit, images that the service keeps for labelling, the cache of
# images, and checkpoints.
TIMINGS = Path("reports/timings")
CHANGES = Path("reports/changes")
SAMPLES = Path(".darkroom/samples")
IMAGE_CACHE = Path(".darkroom/cache")
FEATURE_CACHE = Path(".darkroom/features")
CHECKPOINTS = Path(".darkroom/checkpoints")

# What a folder of people's reports holds beside the pages, which `report` writes.
VALIDATION = tuple(
    VALIDATE_REPORTS / name for name in ("validation.json", "suite.json", "great_expectations.json", "copies.parquet")
)
TRAIN_RECORD = (TRAIN_REPORTS / "training.json", TRAIN_REPORTS / "examples.npy")
EVALUATION = tuple(
    EVALUATE_REPORTS / name
    for name in ("metrics.json", "per_class.json", "curves.json", "details.json", "predictions.parquet")
)
PAGES = {
    "validate": VALIDATE_REPORTS / "index.html",
    "great_expectations": VALIDATE_REPORTS / "great_expectations.html",
    "train": TRAIN_REPORTS / "index.html",
    "evaluate": EVALUATE_REPORTS / "report.html",
}

# By stage, what it reads beside its own code, and what it writes; a folder stands for all that is in it.
INPUTS: dict[str, tuple[Path, ...]] = {
    "survey": (),
    "code": (),
    "ingest": (SURVEY, LABEL_FIXES),
    "validate": (INGEST,),
    "split": (INGEST, GROUPS.parent),
    "select": (INGEST, SPLIT_TABLE.parent),
    "preprocess": (INGEST, SPLIT_TABLE.parent, SELECTION),
    "train": (INGEST, SPLIT_TABLE.parent, SELECTION, ARRAYS / "stats.json", ARRAYS / "train", ARRAYS / "validation"),
    "predict": (INGEST, SPLIT_TABLE.parent, ARRAYS, MODEL),
    "evaluate": (PREDICTIONS / "predictions.parquet",),
    "quantize": (ARRAYS / "train", ARRAYS / "validation", CALIBRATION.parent, NETWORK_GRAPH.parent, MODEL),
    "export": (INGEST, ARRAYS, CALIBRATION.parent, QUANTIZED, SELECTION, MODEL, EVALUATION[0], EVALUATION[-1]),
    "report": (
        INGEST,
        SPLIT_TABLE.parent,
        *VALIDATION,
        SELECTION,
        *TRAIN_RECORD,
        *EVALUATION,
        PREDICTIONS,
        ARRAYS,
        MODEL / "model.json",
        QUANTIZED / "verdict.json",
    ),
}
OUTPUTS: dict[str, tuple[Path, ...]] = {
    "survey": (SURVEY,),
    "code": (CODE,),
    "ingest": (INGEST,),
    "validate": (GROUPS.parent, *VALIDATION),
    "split": (SPLIT_TABLE.parent,),
    "select": (SELECTION,),
    "preprocess": (ARRAYS,),
    "train": (MODEL, *TRAIN_RECORD, TRAIN_REPORTS / "metrics.json", TRAIN_REPORTS / "plots"),
    "predict": (PREDICTIONS, NETWORK_GRAPH.parent),
    "evaluate": (CALIBRATION.parent, *EVALUATION, EVALUATE_REPORTS / "label_suspects.csv", EVALUATE_REPORTS / "plots"),
    "quantize": (QUANTIZED, QUANTIZE_REPORTS / "metrics.json"),
    "export": (BUNDLE, EXPORT_REPORTS),
    "report": tuple(PAGES.values()),
}
