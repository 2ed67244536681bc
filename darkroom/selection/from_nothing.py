"""A network that learns from nothing, scored on the images that the chosen backbone was scored on.

For grey pictures alone: ImageNet's weights know photographs in colour. On made X-rays, 270 to train on, `small_image_net` has
96.3% of 300 test images, a head on EfficientNet-Lite0 82.0%; of six sets in colour it has 14 to 62 points less.
"""

import contextlib
import io
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np

from darkroom.images.cache import PixelCache
from darkroom.images.pack import Packed, PixelForm, level_counts, mean_and_std, pack_sample
from darkroom.inference.device import choose_device
from darkroom.inference.logits import logits
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.network.load import Normalized
from darkroom.runtime.arrays import Bools, Int64s
from darkroom.selection.scoring import TrainingImages
from darkroom.settings.networks import SMALL_IMAGE_NET, own_settings
from darkroom.settings.train import Train
from darkroom.training.augmentation import Augmentation
from darkroom.training.choices import CHOSEN_FROM, make_choices
from darkroom.training.distributed import Processes
from darkroom.training.fit import fit
from darkroom.training.heads import FOLDS
from darkroom.training.loop import FitConfig
from darkroom.training.mirrored import find_mirrored
from darkroom.training.setup import new_model, with_precision

# A sample's training has up to so many times the epochs of `train`.
MOST_TIMES = 4


def correct_from_nothing(
    images: TrainingImages, rows: Int64s, folds: Int64s, form: PixelForm, settings: Train, cache: Path, work: Path
) -> Bools:
    """Which images `small_image_net` predicts correctly, by five trainings with its default settings.

    Each learns from three folds and takes its epoch by a fourth; it predicts the fifth. So it has seen a quarter less than the
    heads that it is compared with.

    Args:
        images: of the training split.
        rows: int64 [n], those to take.
        folds: int64 [n], as `darkroom.training.heads.fold_numbers` gives them.
        form: what the images become.
        settings: seed and precision are taken from it.
        cache: `.darkroom/cache`, for pixels.
        work: a folder for what is removed after the search.

    Returns:
        bool, one for each image that is in a fold.
    """
    target = work / f"{form.size}-{form.channels}-{len(rows)}.npy"
    pixels = PixelCache(cache / "pixels", form.identity, form.shape)
    pack_sample(images.table.take(rows), images.shards, form, pixels, target)
    pixels.save()
    hashes = images.table["sha256"].take(rows).to_pylist()
    packed = Packed(np.load(target), images.labels[rows], np.array([each[:16] for each in hashes], "S16"))
    train = Train(network=SMALL_IMAGE_NET, weights="none", seed=settings.seed, precision=settings.precision).resolved()
    answers = np.full(len(rows), -1, np.int64)
    for fold in range(FOLDS):
        tested, watched = folds == fold, folds == (fold + 1) % FOLDS
        if not tested.any():
            continue
        learnt = _part(packed, ~tested & ~watched)
        # The tables of five trainings are no news.
        with contextlib.redirect_stdout(io.StringIO()):
            model = _trained(
                learnt, _part(packed, watched), len(images.labels), train, images.classes, form, work / f"{fold}.pt"
            )
        answers[tested] = logits(model, packed.images[tested], choose_device(), None).argmax(1)
    correct: Bools = (answers == packed.labels)[folds >= 0]
    return correct


def _part(packed: Packed, rows: Bools) -> Packed:
    return Packed(packed.images[rows], packed.labels[rows], packed.ids[rows])


def _trained(
    learnt: Packed, watched: Packed, images: int, settings: Train, classes: ClassList, form: PixelForm, checkpoint: Path
) -> Normalized:
    """A network as `train` would train it on some of so many images."""
    values = settings.model_dump()
    statistics = mean_and_std(level_counts(np.asarray(learnt.images)))
    spec = ModelSpec(
        network=settings.network,
        settings={name: values[name] for name in own_settings(settings.network)},
        weights=settings.weights,
        classes=classes,
        preprocessing=Preprocessing(form.size, form.channels, form.resize, form.decoder, *statistics, form.depth),
        epoch=0,
        precision="",
        seed=settings.seed,
        data_version="",
        code_version="",
    )
    model, _ = new_model(spec, settings.weights, learnt.images, choose_device())
    precision = with_precision(spec, settings.precision, model, learnt.images)[1]
    mirrored = partial(find_mirrored, learnt.images, learnt.labels, classes.names)
    chosen_from = settings.model_dump(include=CHOSEN_FROM)
    choices = make_choices(
        images=len(learnt.labels), classes=len(classes), find_mirrored=mirrored, **chosen_from
    ).values()
    resolved = values | choices | {"classes": len(classes)}
    resolved["augmentation"] = Augmentation(**{field.name: resolved[field.name] for field in fields(Augmentation)})
    # As many steps as the training of all images will take: among so few it is steps that are wanting.
    resolved["epochs"] = round(values["epochs"] * min(images / len(learnt.labels), MOST_TIMES))
    config = FitConfig(**{field.name: resolved[field.name] for field in fields(FitConfig)})
    alone = Processes(0, 1, choose_device())
    fit(model, learnt, watched, config, precision=precision, processes=alone, checkpoint=checkpoint)
    return model.eval()
