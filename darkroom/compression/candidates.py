"""The graphs that quantize chooses from, all made from the same trained network."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darkroom.compression.calibration_search import CalibrationResult, best, sensitive_layers, try_calibrators
from darkroom.compression.int8 import Int8, calibration_rows, quantize_dynamically, quantize_graph
from darkroom.compression.ranges import most_calibration_images
from darkroom.images.pack import Packed
from darkroom.inference.network_graph import VALIDATION_LOGITS, write_float_graph
from darkroom.inference.session import probabilities_of
from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import stage_input
from darkroom.statistics.temperature import softmax

# Training images on which INT8 forms are compared in the calibration search, drawn apart from those that set the ranges.
SEARCH_IMAGES = 128


@dataclass(frozen=True)
class Candidate:
    """A graph that may ship.

    Attributes:
        name: `float`, `int8`, …
        file: its file name.
        title: its name for people, which may begin a sentence.
        made: how it was made, as text.
        same_weights: whether its features are those of the trained network but for rounding. One that was fine-tuned to the
            training images is shown to lose little by others alone.
    """

    name: str
    file: str
    title: str
    made: str
    same_weights: bool = True


class Candidates:
    """Makes candidates in one folder, `model.onnx` first."""

    def __init__(
        self,
        model: Path,
        graph: Path,
        temperature: float,
        train: Packed,
        calibration_images: int,
        folder: Path,
        scratch: Path,
    ) -> None:
        """Write the float graph.

        Args:
            model: the folder with the weights and `model.json`, which only fine-tuning reads.
            graph: the network as a graph that gives logits, beside its answers to the validation images.
            temperature: of the calibrated probabilities.
            train: the training images.
            calibration_images: how many of them set the INT8 ranges, at most; large ones are fewer.
            folder: for the graphs.
            scratch: an empty folder for intermediate files; it must outlive this object.
        """
        self._model, self._temperature, self._train = model, temperature, train
        self._logits = graph.with_name(VALIDATION_LOGITS)
        self._folder, self._scratch = folder, scratch
        self._graph = folder / "model.onnx"
        write_float_graph(graph, self._graph, temperature)
        keys, count = train.keys(), min(calibration_images, most_calibration_images(train.images.shape[1]))
        rows, search_rows = calibration_rows(keys, count), calibration_rows(keys, SEARCH_IMAGES, "trial")
        #: The training images that set ranges or chose a form.
        self.used: Int64s = np.union1d(rows, search_rows)
        self._calibration, self._search_images = np.asarray(train.images[rows]), np.asarray(train.images[search_rows])
        self._reference = probabilities_of(self._graph, self._search_images)
        self._int8 = Int8(self._graph, self._calibration, scratch)
        #: The results of the calibrators, once `int8` was made.
        self.calibrators: dict[str, CalibrationResult] = {}

    @property
    def calibration_images(self) -> int:
        """The number of images that set the ranges."""
        return len(self._calibration)

    def as_trained(self) -> Candidate:
        """The trained network as it is."""
        return Candidate("float", self._graph.name, "Float", "float32, the network as it was trained")

    def float_answers(self, images: int) -> Float32s:
        """The probabilities float32 [N, K] that the trained network gives for so many validation images, by `predict`.

        Raises:
            DarkroomError: when there are not as many.
        """
        logits = _read_logits(self._logits)
        if len(logits) != images:
            raise DarkroomError(
                f"{self._logits} has answers to {len(logits):,} of {images:,} validation images: run `dvc repro predict`"
            )
        return softmax(logits, self._temperature)

    def int8(self, enough: float) -> Candidate:
        """Static INT8 with the calibrator that moves the predictions on training images least.

        Args:
            enough: where `minmax` moves them no more than this, no other is tried.
        """
        self.calibrators = try_calibrators(self._int8, self._search_images, self._reference, self._scratch, enough)
        chosen = best(self.calibrators)
        shutil.copyfile(self._scratch / f"{chosen}.onnx", self._folder / "model.int8.onnx")
        return Candidate("int8", "model.int8.onnx", "INT8", f"static INT8, ranges by {chosen}")

    def int8_dynamic(self) -> Candidate | None:
        """Dynamic INT8; None for networks without products that gain from it."""
        if not quantize_dynamically(self._graph, self._folder / "model.int8_dynamic.onnx"):
            return None
        return Candidate(
            "int8_dynamic", "model.int8_dynamic.onnx", "Dynamic INT8", "weights in INT8, ranges of the moment"
        )

    def int8_mixed(self) -> Candidate | None:
        """Static INT8 with its most sensitive layers in float; None when no few layers cause the error."""
        chosen = best(self.calibrators)
        moved = self.calibrators[chosen].moved
        trial = self._scratch / "trial.onnx"
        layers = sensitive_layers(self._int8, chosen, moved, self._search_images, self._reference, trial)
        if layers is None:
            return None
        shutil.copyfile(trial, self._folder / "model.int8_mixed.onnx")
        of = len(self._int8.layers)
        return Candidate(
            "int8_mixed", "model.int8_mixed.onnx", "Mixed INT8", f"as INT8, {len(layers)} of {of} layers in float"
        )

    def int8_trained(self, epochs: int) -> Candidate:
        """Static INT8 after quantization-aware fine-tuning."""
        from darkroom.compression.quantization_aware import quantization_aware
        from darkroom.inference.export import export_graph
        from darkroom.network.load import load_model

        network, spec = load_model(self._model)
        tuned = quantization_aware(network, self._train, epochs, spec.seed)
        graph, file = self._scratch / "trained.onnx", "model.int8_trained.onnx"
        export_graph(tuned, spec, graph, self._temperature)
        # The ranges that it was trained with.
        quantize_graph(graph, self._calibration, self._folder / file, "minmax")
        made = f"static INT8 after {_epochs(epochs)} of quantization-aware fine-tuning, ranges by minmax"
        return Candidate("int8_trained", file, "Trained INT8", made, same_weights=False)

    def pruned(self, fraction: float, epochs: int, enough: float) -> list[Candidate]:
        """With a fraction of the channels removed and a short fine-tuning: as float, and as static INT8.

        Raises:
            DarkroomError: for a network that can't be pruned.
        """
        from darkroom.compression.pruning import prune
        from darkroom.inference.export import export_graph
        from darkroom.network.load import load_model

        network, spec = load_model(self._model)
        smaller = prune(network, spec, fraction, self._train, epochs, spec.seed)
        made = f"{fraction:.0%} of the channels removed, then {_epochs(epochs)} of fine-tuning"
        graph, scratch, file = self._folder / "model.pruned.onnx", self._scratch / "pruned", "model.pruned_int8.onnx"
        export_graph(smaller, spec, graph, self._temperature)
        scratch.mkdir()
        int8 = Int8(graph, self._calibration, scratch)
        reference = probabilities_of(graph, self._search_images)
        chosen = best(try_calibrators(int8, self._search_images, reference, scratch, enough))
        shutil.copyfile(scratch / f"{chosen}.onnx", self._folder / file)
        made_int8 = f"{made}; static INT8, ranges by {chosen}"
        return [
            Candidate("pruned", graph.name, "Pruned float", made, same_weights=False),
            Candidate("pruned_int8", file, "Pruned INT8", made_int8, same_weights=False),
        ]


@stage_input
def _read_logits(path: Path) -> Float32s:
    logits: Float32s = np.load(path)
    return logits


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"
