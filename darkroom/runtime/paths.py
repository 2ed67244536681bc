"""Where every stage of the line reads and writes, from the root of the repository.

`dvc.yaml` lists the same paths for DVC, and a test holds the two equal.
"""

from pathlib import Path

LABEL_FIXES = Path("data/label_fixes.csv")
SURVEY = Path("data/survey")
CODE = Path("data/code")
INGEST = Path("data/ingest")
GROUPS = Path("data/validate/groups.parquet")
VALIDATE_REPORTS = Path("reports/validate")
SPLIT_TABLE = Path("data/split/splits.parquet")
ARRAYS = Path("data/preprocess")
MODEL = Path("models/train")
TRAIN_REPORTS = Path("reports/train")
CALIBRATION = Path("models/evaluate/calibration.json")
EVALUATE_REPORTS = Path("reports/evaluate")
QUANTIZED = Path("models/quantize")
QUANTIZE_REPORTS = Path("reports/quantize")
BUNDLE = Path("models/export")
EXPORT_REPORTS = Path("reports/export")

# Not tracked: measured times, what changed since the last commit, and the cache of images.
TIMINGS = Path("reports/timings")
CHANGES = Path("reports/changes")
IMAGE_CACHE = Path(".darkroom/cache")

# By stage, what it reads beside its own code, and what it writes; a folder stands for all that is in it.
INPUTS: dict[str, tuple[Path, ...]] = {
    "survey": (),
    "code": (),
    "ingest": (SURVEY, LABEL_FIXES),
    "validate": (INGEST,),
    "split": (INGEST, GROUPS.parent),
    "preprocess": (INGEST, SPLIT_TABLE.parent),
    "train": (INGEST, SPLIT_TABLE.parent, ARRAYS / "stats.json", ARRAYS / "train", ARRAYS / "validation"),
    "evaluate": (INGEST, SPLIT_TABLE.parent, ARRAYS, MODEL, TRAIN_REPORTS),
    "quantize": (ARRAYS / "train", ARRAYS / "validation", CALIBRATION.parent, MODEL),
    "export": (INGEST, ARRAYS, CALIBRATION.parent, QUANTIZED, MODEL, EVALUATE_REPORTS),
}
OUTPUTS: dict[str, tuple[Path, ...]] = {
    "survey": (SURVEY,),
    "code": (CODE,),
    "ingest": (INGEST,),
    "validate": (GROUPS.parent, VALIDATE_REPORTS),
    "split": (SPLIT_TABLE.parent,),
    "preprocess": (ARRAYS,),
    "train": (MODEL, TRAIN_REPORTS),
    "evaluate": (CALIBRATION.parent, EVALUATE_REPORTS),
    "quantize": (QUANTIZED, QUANTIZE_REPORTS),
    "export": (BUNDLE, EXPORT_REPORTS),
}
