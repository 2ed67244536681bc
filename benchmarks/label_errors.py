"""Wrong labels planted among CIFAR-10's training images: how many are found, and what mending them is worth.

Measures: of 10,000 training images, evenly spaced, 5% stand under another class, drawn at random; validation images are among
them. The test images are CIFAR-10's own, untouched. Precision and recall of the suspects, in training and in validation; and
the test accuracy of four trainings with the settings of params.yaml: on the wrong labels, on those with every suggestion taken
unseen, on those fixed by a reviewer who looks at every suspect and is always correct, and on the true labels. The fixes go
through `data/label_fixes.csv` and ingest. CIFAR-10 has wrong labels of its own, some 0.5%, which count as correct here. All
in a temporary folder.

    python -m benchmarks.label_errors CIFAR_ZIP
"""

import argparse
import csv
import random
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.pictures import read_pictures, write_zip
from benchmarks.repository import copy_repository, run, source_settings, temporary_home
from benchmarks.rounds import print_table
from darkroom.evaluation.label_errors import Suspect, label_suspects, write_suspects
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import load_packed
from darkroom.inference.device import choose_device
from darkroom.inference.logits import logits
from darkroom.inference.predictions import read_predictions
from darkroom.model.classes import load_classes
from darkroom.network.load import load_model
from darkroom.statistics.intervals import mean_interval, wilson
from darkroom.statistics.temperature import softmax

WRONG = 0.05
TO_ARRAYS = ("survey", "ingest", "validate", "split", "select", "preprocess")

Truth = dict[str, str]


def planted(pictures: list[tuple[str, bytes]], images: int) -> tuple[dict[str, bytes], Truth]:
    """Pictures by path, the training ones among them under wrong labels now and then; and the true label of each of those.

    Args:
        pictures: as `…/train/<class>/<name>` and `…/test/<class>/<name>`.
        images: of the training ones, how many.
    """
    draw = random.Random(0)
    test = {f"test/{'/'.join(name.split('/')[-2:])}": data for name, data in pictures if name.split("/")[-3] == "test"}
    train = [(name.split("/")[-2], data) for name, data in pictures if name.split("/")[-3] == "train"]
    train = [train[index * len(train) // images] for index in range(images)]
    classes = sorted({label for label, _ in train})
    wrong = set(draw.sample(range(images), round(WRONG * images)))
    found, truth = {}, {}
    for number, (label, data) in enumerate(train):
        shown = draw.choice([other for other in classes if other != label]) if number in wrong else label
        path = f"train/{shown}/{number:05}.jpg"
        found[path], truth[path] = data, label
    return test | found, truth


def paths_of(repository: Path) -> dict[str, str]:
    """Id → path."""
    manifest = read_manifest(repository / "data/ingest", ["id", "path"]).to_pydict()
    return dict(zip(manifest["id"], manifest["path"], strict=True))


def find(repository: Path) -> list[Suspect]:
    """The suspects that evaluate would list, from the predictions."""
    run(repository, "stages.predict")
    predictions = read_predictions(repository / "data/predict")
    return label_suspects(predictions, softmax(predictions.validation.answers))


def take_all(suspects: list[Suspect], file: Path) -> None:
    """Sign every suggestion."""
    write_suspects(suspects, file)
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    _write(file, [row | {"reviewer": "nobody"} for row in rows])


def review(suspects: list[Suspect], truth: Truth, file: Path) -> None:
    """Give each suspect its true label, or keep it."""
    rows = []
    for each in suspects:
        true_label = truth[each.path]
        action = "keep" if true_label == each.label else "relabel"
        rows.append(
            {"image": each.path, "action": action, "new_label": true_label, "reviewer": "oracle", "reason": "looked at"}
        )
    _write(file, rows)


def fix_all(truth: Truth, file: Path) -> None:
    """Give every planted one its true label."""
    rows = [
        {"image": path, "action": "relabel", "new_label": label, "reviewer": "oracle", "reason": "planted"}
        for path, label in truth.items()
        if path.split("/")[1] != label
    ]
    _write(file, rows)


def _write(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, ["image", "action", "new_label", "reviewer", "reason"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def correct_predictions(repository: Path) -> npt.NDArray[np.bool_]:
    """Whether each of CIFAR-10's test images was predicted correctly, bool [N]; near-copies of them from its training set go
    to the test split with them, and do not count.
    """
    model, _ = load_model(repository / "models/train")
    test, paths = load_packed(repository / "data/preprocess/test"), paths_of(repository)
    own = [paths[name.decode()].startswith("test/") for name in test.ids]
    answers = logits(model, test.images, choose_device(), "test").argmax(1)
    return np.asarray(answers == test.labels)[own]


def judge(suspects: list[Suspect], truth: Truth, repository: Path) -> list[tuple[str, str, str]]:
    """Precision and recall, in each split and in both."""
    classes = load_classes(repository / "data/ingest/classes.json").names
    paths, rows = paths_of(repository), []
    for splits in (("train",), ("validation",), ("train", "validation")):
        packed = [load_packed(repository / "data/preprocess" / split) for split in splits]
        labels = {
            paths[name.decode()]: classes[label]
            for one in packed
            for name, label in zip(one.ids, one.labels, strict=True)
        }
        wrong = {path for path, label in labels.items() if truth[path] != label}
        found = [each for each in suspects if each.split in splits]
        hits = [each for each in found if each.path in wrong]
        suggested = sum(each.suggested == truth[each.path] for each in hits)
        where = " and ".join(splits)
        rows += [
            (f"precision, {where}", f"{len(hits) / max(1, len(found)):.1%}", f"{len(hits):,} of {len(found):,}"),
            (f"recall, {where}", f"{len(hits) / max(1, len(wrong)):.1%}", f"{len(hits):,} of {len(wrong):,}"),
            (
                f"correct suggestion, {where}",
                f"{suggested / max(1, len(hits)):.1%}",
                f"{suggested:,} of {len(hits):,}",
            ),
        ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_errors", description=__doc__)
    parser.add_argument("source", type=Path, metavar="CIFAR_ZIP")
    parser.add_argument("--images", type=int, default=10_000, help="of the training images (10,000)")
    chosen = parser.parse_args()
    pictures, truth = planted(read_pictures(chosen.source), chosen.images)
    with temporary_home() as home:
        repository, source = home / "line", home / "cifar10.zip"
        write_zip(pictures, source)
        copy_repository(repository, source_settings(source, source))
        file = repository / "data/label_fixes.csv"
        correct = {}
        suspects: list[Suspect] | None = None
        rows = []
        for name in ("wrong labels", "every suggestion taken", "reviewed", "true labels"):
            match name:
                case "wrong labels":
                    file.parent.mkdir(exist_ok=True)
                    _write(file, [])
                case "every suggestion taken":
                    take_all(suspects or [], file)
                case "reviewed":
                    review(suspects or [], truth, file)
                case "true labels":
                    fix_all(truth, file)
            for stage in (*TO_ARRAYS, "train"):
                run(repository, f"stages.{stage}")
            correct[name] = correct_predictions(repository)
            if suspects is None:
                suspects = find(repository)
                rows = judge(suspects, truth, repository)
    for name, answers in correct.items():
        low, high = wilson(answers.sum(), len(answers), 0.95)
        rows.append((f"accuracy, {name}", f"{answers.mean():.2%}", f"{low:.2%} to {high:.2%}"))
        if name != "wrong labels":
            change = answers.astype(float) - correct["wrong labels"]
            least, most = mean_interval(change, 0.95)
            rows.append(("  more than on wrong labels", f"{change.mean():+.2%}", f"{least:+.2%} to {most:+.2%}"))
    print(f"{chosen.source.name}: {chosen.images:,} training images, {WRONG:.0%} of them under another class\n")
    print_table(("", "found", ""), rows)


if __name__ == "__main__":
    main()
