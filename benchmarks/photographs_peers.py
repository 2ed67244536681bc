"""What people train photographs with, each as its own pages show it, in a process of its own: it imports nothing of Darkroom.

    python benchmarks/photographs_peers.py timm FOLDER --epochs 5

FOLDER has `train/`, `val/` and `test/` with a folder for each class, and `tf_efficientnet_lite0.pth`, the ImageNet weights
under timm's names (`benchmarks.photographs` makes it). The last line on stdout is JSON: seconds from the start of the process
to a trained model, how many test images it names right, what it started from, versions. Nothing is sent or fetched.
"""

import argparse
import importlib
import json
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

START = time.perf_counter()

NETWORK = "tf_efficientnet_lite0"
WEIGHTS = f"{NETWORK}.pth"
SAME, NOTHING = "Lite0, ImageNet", "nothing"
SIZE, BATCH, WORKERS = 224, 32, 2

# What a contestant found: when it was trained, right answers, test images, what it started from.
Found = tuple[float, int, int, str]


def quiet(folder: Path) -> None:
    """Nothing is reported to anyone, and no hub is asked: set before anything is imported."""
    quiet_variables = {
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "WANDB_MODE": "disabled",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }
    os.environ.update(quiet_variables)


def declare_operators() -> None:
    """torchvision's wheel has operators for CUDA that a CPU build of torch can't load; declared, they need not be."""
    torch = importlib.import_module("torch")
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        declared = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        globals()["DECLARED"] = declared  # They go with this object.


def timm_model(folder: Path, **settings: Any) -> tuple[Any, Any]:
    """timm's network with its ImageNet weights from the file, and its own preprocessing."""
    timm = importlib.import_module("timm")
    overlay = {"file": str(folder / WEIGHTS)}
    model = timm.create_model(NETWORK, pretrained=True, pretrained_cfg_overlay=overlay, **settings)
    transform = timm.data.create_transform(**timm.data.resolve_data_config(model.pretrained_cfg))
    return model, transform


def loader(folder: Path, part: str, transform: Any, shuffle: bool = False) -> Any:
    """torchvision's ImageFolder in a DataLoader with two workers."""
    data = importlib.import_module("torch.utils.data")
    images = importlib.import_module("torchvision").datasets.ImageFolder(str(folder / part), transform)
    return data.DataLoader(images, BATCH, shuffle=shuffle, num_workers=WORKERS)


def logistic_regression(folder: Path, epochs: int, limit: float) -> Found:
    """Mean-pooled features by timm, scikit-learn's logistic regression on training and validation images together."""
    torch, numpy = importlib.import_module("torch"), importlib.import_module("numpy")
    linear = importlib.import_module("sklearn.linear_model")
    model, transform = timm_model(folder, num_classes=0)
    model.eval()

    def features(part: str) -> tuple[Any, Any]:
        with torch.inference_mode():
            found = [(model(images).numpy(), labels.numpy()) for images, labels in loader(folder, part, transform)]
        return numpy.concatenate([rows for rows, _ in found]), numpy.concatenate([labels for _, labels in found])

    parts = [features(part) for part in ("train", "val")]
    rows, labels = (numpy.concatenate(arrays) for arrays in zip(*parts, strict=True))
    classifier = linear.LogisticRegression(max_iter=1000).fit(rows, labels)
    trained = time.perf_counter()
    rows, labels = features("test")
    return trained, int((classifier.predict(rows) == labels).sum()), len(labels), SAME


def timm_fine_tune(folder: Path, epochs: int, limit: float) -> Found:
    """The loop of torch's tutorials over a timm network: all weights by AdamW, a cosine schedule, no augmentation."""
    torch = importlib.import_module("torch")
    model, transform = timm_model(folder, num_classes=len(list((folder / "train").iterdir())))
    batches = loader(folder, "train", transform, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(batches))
    for _ in range(epochs):
        model.train()
        for images, labels in batches:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
            schedule.step()
    trained = time.perf_counter()
    model.eval()
    with torch.inference_mode():
        found = [model(images).argmax(1) == labels for images, labels in loader(folder, "test", transform)]
    right = torch.cat(found)
    return trained, int(right.sum()), len(right), SAME


def fastai(folder: Path, epochs: int, limit: float) -> Found:
    """`vision_learner(...).fine_tune(...)` of its quick start: one epoch of the head, then all of it."""
    vision = importlib.import_module("fastai.vision.all")
    loaders = vision.ImageDataLoaders.from_folder(
        folder, train="train", valid="val", bs=BATCH, num_workers=WORKERS, item_tfms=vision.Resize(SIZE)
    )
    overlay = {"file": str(folder / WEIGHTS)}
    learner = vision.vision_learner(loaders, NETWORK, metrics=vision.error_rate, pretrained_cfg_overlay=overlay)
    learner.fine_tune(epochs)
    trained = time.perf_counter()
    files = vision.get_image_files(folder / "test")
    predicted, _ = learner.get_preds(dl=loaders.test_dl(files))
    names = [loaders.vocab[index] for index in predicted.argmax(1).tolist()]
    right = sum(name == file.parent.name for name, file in zip(names, files, strict=True))
    return trained, right, len(files), SAME


def ultralytics(folder: Path, epochs: int, limit: float) -> Found:
    """`YOLO(...).train(...)` of its page on classification. Its weights have to be downloaded, and it takes no others."""
    package = importlib.import_module("ultralytics")
    package.settings.update({"sync": False, "clearml": False, "comet": False, "mlflow": False, "dvc": False})
    model = package.YOLO("yolo26n-cls.yaml")
    out = str(folder / "runs")
    # `time`, in hours, takes the place of its 100 epochs.
    model.train(
        data=str(folder), imgsz=SIZE, device="cpu", workers=WORKERS, project=out, time=limit / 3600, plots=False
    )
    trained = time.perf_counter()
    files = sorted((folder / "test").glob("*/*"))
    found = model.predict([str(file) for file in files], imgsz=SIZE, device="cpu", stream=True, verbose=False)
    names = [answer.names[answer.probs.top1] for answer in found]
    right = sum(name == file.parent.name for name, file in zip(names, files, strict=True))
    return trained, right, len(files), NOTHING


def autogluon(folder: Path, epochs: int, limit: float) -> Found:
    """`MultiModalPredictor(...).fit(...)` of its quick start, with the network named as its page on customising shows."""
    pandas = importlib.import_module("pandas")
    multimodal = importlib.import_module("autogluon.multimodal")
    # A network of timm's that is no hub's is read from a folder in the form of one.
    checkpoint = folder / "checkpoint"
    models = importlib.import_module("timm.models._hub")
    models.save_for_hf(timm_model(folder, num_classes=0)[0], checkpoint, safe_serialization=False)

    def table(part: str) -> Any:
        files = sorted((folder / part).glob("*/*"))
        return pandas.DataFrame({"image": map(str, files), "label": [file.parent.name for file in files]})

    predictor = multimodal.MultiModalPredictor(label="label", path=str(folder / "autogluon"))
    names = {"model.names": ["timm_image"], "model.timm_image.checkpoint_name": str(checkpoint)}
    predictor.fit(table("train"), tuning_data=table("val"), time_limit=limit, hyperparameters=names)
    trained = time.perf_counter()
    test = table("test")
    right = int((predictor.predict(test.drop(columns="label")).to_numpy() == test["label"].to_numpy()).sum())
    return trained, right, len(test), SAME


CONTESTANTS: dict[str, tuple[Callable[[Path, int, float], Found], tuple[str, ...]]] = {
    "logistic-regression": (logistic_regression, ("timm", "scikit-learn")),
    "timm": (timm_fine_tune, ("timm",)),
    "fastai": (fastai, ("fastai", "timm")),
    "ultralytics": (ultralytics, ("ultralytics-opencv-headless",)),
    "autogluon": (autogluon, ("autogluon.multimodal", "timm")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=5, help="of timm and fastai (5)")
    parser.add_argument(
        "--limit", type=float, default=600, metavar="SECONDS", help="of ultralytics and autogluon (600)"
    )
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    quiet(folder)
    declare_operators()
    train, packages = CONTESTANTS[chosen.name]
    trained, right, images, origin = train(folder, chosen.epochs, chosen.limit)
    versions = ", ".join(f"{package} {version(package)}" for package in (*packages, "torch"))
    found = {"seconds": trained - START, "right": right, "images": images, "origin": origin, "versions": versions}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
