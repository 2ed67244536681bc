"""The graphs that quantize chooses from, all made from the same trained network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from darkroom.compression.calibration_search import CalibrationResult, best, sensitive_layers, try_calibrators
from darkroom.compression.int8 import Int8, calibration_rows, quantize_dynamically, quantize_graph
from darkroom.images.pack import Packed
from darkroom.inference.export import export_graph
from darkroom.inference.session import open_session, probabilities
from darkroom.model.spec import ModelSpec

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
    """

    name: str
    file: str
    title: str
    made: str


class Candidates:
    """Makes candidates in one folder, `model.onnx` first."""

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        temperature: float,
        train: Packed,
        calibration_images: int,
        folder: Path,
        scratch: Path,
    ) -> None:
        """Export the float graph.

        Args:
            network: from `darkroom.network.load.load_model`.
            spec: of the model.
            temperature: of the calibrated probabilities.
            train: the training images.
            calibration_images: how many of them set the INT8 ranges, at most.
            folder: for the graphs.
            scratch: an empty folder for intermediate files; it must outlive this object.
        """
        self._network, self._spec, self._temperature, self._train = network, spec, temperature, train
        self._folder, self._scratch = folder, scratch
        self._graph = folder / "model.onnx"
        export_graph(network, spec, self._graph, temperature)
        keys = train.keys()
        self._calibration = np.asarray(train.images[calibration_rows(keys, calibration_images)])
        self._search_images = np.asarray(train.images[calibration_rows(keys, SEARCH_IMAGES, "trial")])
        self._reference = probabilities(open_session(self._graph), self._search_images)
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

    def int8(self) -> Candidate:
        """Static INT8 with the calibrator that moves the predictions on training images least."""
        self.calibrators = try_calibrators(self._int8, self._search_images, self._reference, self._scratch)
        chosen = best(self.calibrators)
        self._int8.write(self._folder / "model.int8.onnx", chosen)
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
        layers = sensitive_layers(self._int8, chosen, self._search_images, self._reference, self._scratch)
        if layers is None:
            return None
        self._int8.write(self._folder / "model.int8_mixed.onnx", chosen, layers)
        of = len(self._int8.layers)
        return Candidate(
            "int8_mixed", "model.int8_mixed.onnx", "Mixed INT8", f"as INT8, {len(layers)} of {of} layers in float"
        )

    def int8_trained(self, epochs: int) -> Candidate:
        """Static INT8 after quantization-aware fine-tuning."""
        from darkroom.compression.quantization_aware import quantization_aware

        tuned = quantization_aware(self._network, self._train, epochs, self._spec.seed)
        graph, file = self._scratch / "trained.onnx", "model.int8_trained.onnx"
        export_graph(tuned, self._spec, graph, self._temperature)
        # The ranges that it was trained with.
        quantize_graph(graph, self._calibration, self._folder / file, "minmax")
        made = f"static INT8 after {_epochs(epochs)} of quantization-aware fine-tuning, ranges by minmax"
        return Candidate("int8_trained", file, "Trained INT8", made)

    def pruned(self, fraction: float, epochs: int) -> list[Candidate]:
        """With a fraction of the channels removed and a short fine-tuning: as float, and as static INT8.

        Raises:
            DarkroomError: for a network that can't be pruned.
        """
        from darkroom.compression.pruning import prune

        smaller = prune(self._network, self._spec, fraction, self._train, epochs, self._spec.seed)
        made = f"{fraction:.0%} of the channels removed, then {_epochs(epochs)} of fine-tuning"
        graph, scratch = self._folder / "model.pruned.onnx", self._scratch / "pruned"
        export_graph(smaller, self._spec, graph, self._temperature)
        scratch.mkdir()
        int8 = Int8(graph, self._calibration, scratch)
        reference = probabilities(open_session(graph), self._search_images)
        chosen = best(try_calibrators(int8, self._search_images, reference, scratch))
        int8.write(self._folder / "model.pruned_int8.onnx", chosen)
        return [
            Candidate("pruned", graph.name, "Pruned float", made),
            Candidate(
                "pruned_int8", "model.pruned_int8.onnx", "Pruned INT8", f"{made}; static INT8, ranges by {chosen}"
            ),
        ]


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"
