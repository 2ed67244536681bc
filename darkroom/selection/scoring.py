"""Scores of candidates: the answers of cross-validated heads on the features of a sample of the training images."""

import copy
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from darkroom.images.cache import PixelCache
from darkroom.images.pack import PixelForm, pack_sample
from darkroom.inference.device import choose_device, resolve_precision
from darkroom.inference.features import features, features_of_poolings
from darkroom.model.classes import ClassList
from darkroom.model.depth import Depth
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.network.grid import GridPooled
from darkroom.network.load import Normalized, build_model
from darkroom.network.pretrained import load_pretrained
from darkroom.network.pretrained_input import PretrainedInput, pretrained_input
from darkroom.network.zoo import GreyInput
from darkroom.runtime.arrays import Bools, Int64s, UInt8s
from darkroom.selection.sample import sample_rows
from darkroom.training.heads import cross_validated, fold_numbers

# Images of the batch that is measured, after one more that is not.
MEASURED = 8


@dataclass(frozen=True)
class TrainingImages:
    """The images of the training split, in their files.

    Attributes:
        table: `sha256`, `shard`, `offset`, `bytes` of each image [N].
        labels: int64 [N], positions in the class list.
        groups: int64 [N], equal for images that must not be in two folds.
        shards: the folder of the original bytes.
    """

    table: pa.Table
    labels: Int64s
    groups: Int64s
    classes: ClassList
    shards: Path


@dataclass(frozen=True)
class InputForm:
    """How the networks see the images.

    Attributes:
        size, channels: as set in `preprocess`; `auto` is what the weights of each network were made for.
        resize, decoder, depth: as in `darkroom.model.spec.Preprocessing`.
        weights, precision: as in `train`.
    """

    size: int | str
    channels: int | str
    resize: str
    decoder: str
    depth: Depth | None
    weights: str
    precision: str


@dataclass
class HeadScores:
    """The `Score` of a search.

    Attributes:
        images, form: what the networks are given, and how.
        seed: of the samples.
        cache: `.darkroom/cache`, for pixels; packed samples are beside it for as long as the search runs.
        features: the folder of the feature cache.
    """

    images: TrainingImages
    form: InputForm
    seed: int
    cache: Path
    features: Path | None
    _models: dict[tuple[str, str], Normalized] = field(default_factory=dict)

    def __call__(self, network: str, poolings: Sequence[str], images: int) -> dict[str, Bools]:
        """Which of the judged images of a sample the head of each pooling predicts correctly."""
        rows, folds = self.sample(images)
        packed = self._packed(network, rows)
        models = {pooling: self._model(network, pooling) for pooling in poolings}
        precision = self._precision(next(iter(models.values())), packed)
        found = features_of_poolings(models, packed, precision, self.features)
        present, labels = np.unique(self.images.labels[rows], return_inverse=True)
        judged = folds >= 0
        if len(present) < 2 or not judged.any():
            return {pooling: np.zeros(0, dtype=bool) for pooling in poolings}
        answers = {
            pooling: cross_validated(found[pooling].numpy(), labels, len(present), folds).out_of_fold.argmax(1)
            for pooling in poolings
        }
        return {pooling: (answer == labels)[judged] for pooling, answer in answers.items()}

    def sample(self, images: int) -> tuple[Int64s, Int64s]:
        """The rows of a sample of so many images, int64 [n], and the fold in which each is judged, -1 for none."""
        rows = sample_rows(self.images.labels, images, self.seed)
        return rows, fold_numbers(self.images.labels[rows], self.images.groups[rows].tolist())

    def seconds(self, network: str, pooling: str) -> float:
        """Of one image, measured: nothing but the plan rests on it.

        On processors the time of all threads, divided among them, so that other programs do not count: beside eleven busy
        processes on two cores the clock showed twenty times as much.
        """
        rows = np.arange(min(MEASURED, len(self.images.labels)))
        packed, model = self._packed(network, rows), self._model(network, pooling)
        precision = self._precision(model, packed)
        features(model, packed, precision, None)
        cuda = model.mean.device.type == "cuda"
        clock, threads = (time.perf_counter, 1) if cuda else (time.process_time, torch.get_num_threads())
        started = clock()
        features(model, packed, precision, None)
        return (clock() - started) / threads / len(rows)

    def clear(self) -> None:
        """Remove what was packed."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        return self.cache / "select"

    def _input(self, network: str) -> PretrainedInput:
        found = pretrained_input(network, self.form.weights)
        assert found
        return found

    def _shape(self, network: str) -> tuple[int, int]:
        made_for = self._input(network)
        size = made_for.size if isinstance(self.form.size, str) else self.form.size
        return size, len(made_for.mean) if isinstance(self.form.channels, str) else self.form.channels

    def _packed(self, network: str, rows: Int64s) -> UInt8s:
        (size, channels), form = self._shape(network), self.form
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{size}-{len(rows)}.npy"
        if not target.exists():
            packed_as = PixelForm(size, channels, form.resize, form.decoder, form.depth)
            pixels = PixelCache(self.cache / "pixels", packed_as.identity, packed_as.shape)
            pack_sample(self.images.table.take(pa.array(rows)), self.images.shards, packed_as, pixels, target)
            pixels.save()
        packed: UInt8s = np.load(target, mmap_mode="r")
        return packed

    def _model(self, network: str, pooling: str) -> Normalized:
        if (network, pooling) not in self._models:
            whole = self._models.get((network, "mean"))
            # To build the network again and to read its weights again takes ten times as long: 0.4 s.
            made = self._with_grid(whole) if whole else self._loaded(network, pooling)
            made.to(choose_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._models[network, pooling] = made
        return self._models[network, pooling]

    def _with_grid(self, whole: Normalized) -> Normalized:
        """The same network with the same weights, and the grid's pooling."""
        made = copy.deepcopy(whole)
        holder = made.network if isinstance(made.network, GreyInput) else made
        holder.network = GridPooled(holder.network, len(self.images.classes))
        return made

    def _loaded(self, network: str, pooling: str) -> Normalized:
        size, channels = self._shape(network)
        mean, std = self._input(network).for_channels(channels)
        preprocessing = Preprocessing(size, channels, self.form.resize, self.form.decoder, mean, std, self.form.depth)
        spec = ModelSpec(
            network=network,
            settings={"pooling": pooling},
            weights=self.form.weights,
            classes=self.images.classes,
            preprocessing=preprocessing,
            epoch=0,
            precision="",
            seed=self.seed,
            data_version="",
            code_version="",
        )
        torch.manual_seed(self.seed)
        model = build_model(spec)
        load_pretrained(model.network, network, self.form.weights)
        return model

    def _precision(self, model: Normalized, packed: UInt8s) -> torch.dtype:
        image = torch.from_numpy(np.array(packed[:1])).to(choose_device())
        return resolve_precision(self.form.precision, choose_device(), model, image)[0]
