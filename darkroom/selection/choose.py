"""The choice of a pretrained backbone and its pooling, by the search under its plan."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.manifest import read_manifest
from darkroom.images.pack import PixelForm, choose_channels, choose_size
from darkroom.images.range_rows import modes, shorter_sides
from darkroom.inference.device import keep_freed_memory, use_deterministic_algorithms
from darkroom.model.classes import load_classes
from darkroom.model.depth import load_depth
from darkroom.network.pretrained_input import PACKAGES
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import read_input_table
from darkroom.selection.candidates import POOLINGS, Candidate, backbones
from darkroom.selection.choice import Choice
from darkroom.selection.plan import FEWEST, FINE_TUNING, Plan, fine_tunes, make_plan, plan_again
from darkroom.selection.scoring import HeadScores, InputForm, TrainingImages
from darkroom.selection.search import Tried, beside_nothing, search
from darkroom.settings.networks import AUTO, SMALL_IMAGE_NET
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.train import Train
from darkroom.training.recipe import RECIPE

# Images on which a network that learns from nothing is compared with the chosen backbone; with fewer than `FEWEST` it is not.
COMPARED = 512


def choose_backbone(
    *,
    ingest: Path,
    splits: Path,
    train: Train,
    preprocess: Preprocess,
    decoder: str,
    cache: Path,
    features: Path | None,
    stored: Mapping[str, Any],
) -> Choice:
    """Compare heads on frozen backbones, by cross-validation on training images alone.

    Args:
        ingest, splits: folder and table of the stages before.
        train, preprocess, decoder: as set.
        cache, features: folders of the caches.
        stored: the plan of the previous run.

    Raises:
        DarkroomError: when weights that are set are not on this machine, or when the table is of another manifest.
    """
    weights = "imagenet" if train.weights == AUTO else train.weights
    networks = backbones(weights)
    if not networks:
        raise DarkroomError(
            f"train.weights={weights} with train.network=auto: no weights of a pretrained network are installed on this "
            "machine: set train.weights=download, or train.network to a name"
        )
    # What learns on from all of its weights is given the network's own mean, for which they were made.
    poolings = POOLINGS if train.pooling == AUTO else (train.pooling,)
    poolings = ("mean",) if train.pooling == AUTO and train.freeze == "none" else poolings
    images = _training_images(ingest, splits)
    shape: dict[str, Any] = {"size": preprocess.size, "channels": preprocess.channels, "resize": preprocess.resize}
    form = InputForm(**shape, decoder=decoder, depth=load_depth(ingest), weights=weights, precision=train.precision)
    scores = HeadScores(images, form, train.seed, cache, features)
    made_for = {"budget": train.budget, "networks": networks, "poolings": list(poolings), **shape}
    # What is set to be frozen, or not to be, stays so.
    if train.budget >= FINE_TUNING and train.freeze == AUTO:
        made_for["recipe"] = asdict(RECIPE)
    use_deterministic_algorithms()
    keep_freed_memory()
    scores.clear()
    try:
        plan = plan_again(stored, made_for) or _planned(scores, networks, poolings, made_for, len(images.labels))
        chosen, tried = search(networks, poolings, plan.rounds(len(images.labels)), scores)
        if (grey := _grey_form(ingest, form)) and train.weights == train.freeze == train.pooling == AUTO:
            chosen, tried = _beside_nothing(chosen, tried, scores, grey, train)
    finally:
        scores.clear()
    if chosen.network == SMALL_IMAGE_NET:
        return Choice(
            {"network": SMALL_IMAGE_NET}, _reason(chosen, tried), [asdict(row) for row in tried], plan.table()
        )
    frozen = "backbone" if train.freeze == AUTO else train.freeze
    settings = {"network": chosen.network, "weights": weights, "pooling": chosen.pooling, "freeze": frozen}
    stored_again = plan.table()
    if fine_tunes(made_for):
        slower = PACKAGES[chosen.network].multiply_adds / PACKAGES[networks[0]].multiply_adds
        stored_again["fine_tuning"] = plan.fine_tuning(len(images.labels), slower)
    return Choice(settings, _reason(chosen, tried), [asdict(row) for row in tried], stored_again)


def _training_images(ingest: Path, splits: Path) -> TrainingImages:
    manifest = read_manifest(ingest, ["id", "sha256", "label", "shard", "offset", "bytes"])
    table = read_input_table(splits, ["id", "split", "group"])
    if not manifest["id"].equals(table["id"]):
        raise DarkroomError(f"{splits} does not belong to {ingest / 'manifest'}: run `dvc repro` to make it again")
    chosen, classes = pc.equal(table["split"], "train"), load_classes(ingest / "classes.json")
    manifest, groups = manifest.filter(chosen), table["group"].filter(chosen)
    labels = pc.index_in(manifest["label"], value_set=pa.array(classes.names)).to_numpy().astype(np.int64)
    numbers = np.unique(groups.to_numpy(), return_inverse=True)[1].astype(np.int64)
    return TrainingImages(manifest, labels, numbers, classes, ingest / "shards")


def _grey_form(ingest: Path, form: InputForm) -> PixelForm | None:
    """What grey pictures become for a network that learns from nothing; None where some have colours."""
    channels = choose_channels(modes(ingest))
    if channels != 1 or form.channels not in (AUTO, 1):
        return None
    size = choose_size(shorter_sides(ingest)) if isinstance(form.size, str) else form.size
    return PixelForm(size, channels, form.resize, form.decoder, form.depth)


def _beside_nothing(
    chosen: Candidate, tried: list[Tried], scores: HeadScores, form: PixelForm, train: Train
) -> tuple[Candidate, list[Tried]]:
    """The candidate after a comparison with a network that learns from nothing."""
    rows, folds = scores.sample(COMPARED)
    if (folds >= 0).sum() < FEWEST:
        return chosen, tried
    from darkroom.selection.from_nothing import correct_from_nothing  # here: most sets have colours

    correct = scores(chosen.network, [chosen.pooling], COMPARED)[chosen.pooling]
    nothing = correct_from_nothing(scores.images, rows, folds, form, train, scores.cache, scores.folder)
    return beside_nothing(chosen, tried, correct, nothing)


def _planned(
    scores: HeadScores, networks: Sequence[str], poolings: Sequence[str], made_for: Mapping[str, Any], images: int
) -> Plan:
    """A plan from one measured batch of the fastest backbone, the others in proportion to their multiply-adds.

    So few images need none, and all of them are taken.
    """
    if images <= FEWEST:
        return Plan(FEWEST, FEWEST, dict(made_for), FEWEST * fine_tunes(made_for))
    seconds = scores.seconds(networks[0], poolings[0]) / PACKAGES[networks[0]].multiply_adds
    return make_plan([seconds * PACKAGES[name].multiply_adds for name in networks], made_for["budget"], made_for)


def _reason(chosen: Candidate, tried: Sequence[Tried]) -> str:
    row = next(row for row in tried if Candidate(row.network, row.pooling) == chosen)
    if not row.images:
        return "no class has the five training images that a comparison needs, so it is the fastest network"
    accuracy = (
        f"{row.accuracy:.1%} ({row.low:.1%} to {row.high:.1%}) of {row.images:,} training images in cross-validation"
    )
    if chosen.network == SMALL_IMAGE_NET:
        return f"{accuracy}; the pretrained networks are slower, and not better"
    if all(other.network == chosen.network for other in tried):
        return accuracy
    better = "no slower network is" if chosen.network == tried[0].network else "it is"
    return f"{accuracy}; {better} better beyond chance"
