"""A network as a TFLite file: a program that runs in the converter's own environment.

    python -I tflite_converter.py network.pt2 model.tflite

reads a `torch.export` program of one image, with the input `images`. It imports nothing of darkroom: that environment has
torch and the converter, and not the packages of the line.
"""

import sys

INPUT = "images"


def convert(program: str, target: str) -> None:
    """Write the TFLite file of a network, in float32."""
    import litert_torch  # type: ignore[import-not-found]
    import torch

    network = torch.export.load(program)
    litert_torch.convert(network.module(), sample_kwargs=network.example_inputs[1]).export(target)


if __name__ == "__main__":
    convert(*sys.argv[1:])
