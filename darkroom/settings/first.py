"""The settings as Darkroom ships them, and those of a run that differ."""

from dataclasses import dataclass
from typing import Any

from darkroom.settings.sections import Params

# A copy of the shipped `params.yaml`, of the sections that reach the evaluation: a repository that settled on values of its own
# still sees in every report what it changed. A test holds the two equal.
FIRST: dict[str, dict[str, Any]] = {
    "ingest": {
        "source": "fashion-mnist",
        "decoder": "turbo",
        "max_reject_fraction": 0.01,
        "max_unpacked_gib": 200,
    },
    "validate": {
        "stop": ["manifest", "rejects", "classes", "missing_class", "class_size", "imbalance", "size"],
        "min_images_per_class": 10,
        "max_imbalance_ratio": 20.0,
        "min_side": 8,
        "max_side": 20000,
        "max_aspect_ratio": 10.0,
        "min_brightness": 0.01,
        "max_brightness": 0.99,
        "min_contrast": 0.01,
        "min_sharpness": 5.0,
        "max_mode_mix": 0.05,
        "max_copies": 0.1,
        "near_copies": True,
        "max_shift": 0.1,
    },
    "split": {
        "validation": 0.1,
        "test": 0.1,
        "seed": 0,
        "folds": None,
        "fold": 0,
        "validation_from": None,
        "test_from": None,
    },
    "preprocess": {
        "size": "auto",
        "channels": "auto",
        "resize": "crop",
    },
    "train": {
        "network": "small_image_net",
        "filters": 32,
        "depth": 3,
        "dropout": 0.0,
        "pooling": "mean",
        "weights": "none",
        "freeze": "none",
        "unfreeze": [],
        "layer_decay": 1.0,
        "epochs": 12,
        "batch_size": "auto",
        "loss": "auto",
        "label_smoothing": 0.1,
        "focal_gamma": 2.0,
        "balance": "none",
        "optimizer": "auto",
        "learning_rate": "auto",
        "weight_decay": "auto",
        "schedule": "one-cycle",
        "warmup": 0.0,
        "step_epochs": 10,
        "step_factor": 0.1,
        "ema": 0.0,
        "clip_gradient": 0.0,
        "flip": True,
        "shift": 0.08,
        "rotate": 0.0,
        "zoom": 0.0,
        "crop": 1.0,
        "brightness": 0.0,
        "contrast": 0.0,
        "noise": 0.0,
        "cutout": 0.25,
        "mixup": 0.0,
        "cutmix": 0.0,
        "albumentations": [],
        "workers": 0,
        "patience": 10,
        "precision": "auto",
        "seed": 0,
    },
    "evaluate": {
        "confidence": 0.95,
        "gallery": 24,
        "target_precision": 0.98,
        "robustness_images": 1000,
    },
}


@dataclass(frozen=True)
class Changed:
    """A setting by its full name, its value, and the one that Darkroom ships."""

    name: str
    value: Any
    shipped: Any


def changed_settings(params: Params) -> list[Changed]:
    """The settings of the sections up to `evaluate` that differ from those shipped, in the order of `params.yaml`.

    Where the images lie (`ingest.path` and `ingest.root`) is left out: it is another on every machine, and the data version
    says what they are.
    """
    found = params.model_dump(by_alias=True, mode="json")
    return [
        Changed(f"{section}.{name}", found[section][name], shipped)
        for section, settings in FIRST.items()
        for name, shipped in settings.items()
        if found[section][name] != shipped
    ]
