"""TFLite files, run by LiteRT's interpreter."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

from darkroom.inference.session import INPUT, OUTPUT
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.cores import usable_cores

TFLITE, TFLITE_INT8 = "model.tflite", "model.int8.tflite"


class TFLiteSession:
    """An opened TFLite file. It predicts one image at a time, so every core gets an interpreter of its own.

    Args:
        file: that `darkroom.bundle.tflite_conversion` wrote.
    """

    def __init__(self, file: Path) -> None:
        self._interpreters = [Interpreter(model_path=str(file), num_threads=1) for _ in range(usable_cores())]
        self._runners = [interpreter.get_signature_runner() for interpreter in self._interpreters]

    def predict(self, images: UInt8s) -> Float32s:
        """Probabilities float32 [N, K] of images uint8 [N, S, S, C], N at least 1."""
        chunks = np.array_split(images, len(self._runners))
        with ThreadPoolExecutor(len(self._runners)) as pool:
            results = list(pool.map(_predict, self._runners, chunks))
        return np.concatenate([row for result in results for row in result])


def _predict(runner: object, images: UInt8s) -> list[Float32s]:
    return [runner(**{INPUT: images[row : row + 1]})[OUTPUT] for row in range(len(images))]  # type: ignore[operator]
