"""A network as a TFLite file: a program that runs in the converter's own environment.

    python -I tflite_converter.py network.pt2 model.tflite

imports what it needs, waits for a line on standard input, which says that the program of `torch.export` is written, of one
image and with the input `images`, and converts it; without a line it ends. It imports nothing of darkroom: that environment has
torch and the converter, and not the packages of the line.
"""

import gc
import sys


def convert(program: str, target: str) -> None:
    """Write the TFLite file of a network, in float32."""
    # Imports and passes make millions of objects that stay; to look through them for circles took 3 of 18 s, and 30 MB without.
    gc.disable()
    import litert_torch  # type: ignore[import-not-found]
    import torch
    from litert_torch._convert import core  # type: ignore[import-not-found]

    def export(signature: object, strict_export: object = False) -> object:
        return exported(signature, strict_export, run_decompositions=False)

    # The passes after it take every operation apart once more: the same bytes, 5.9 s in place of 7.3 for EfficientNet-Lite0.
    exported, core.export_torch_signature = core.export_torch_signature, export
    if sys.stdin.readline():
        network = torch.export.load(program)
        litert_torch.convert(network.module(), sample_kwargs=network.example_inputs[1]).export(target)


if __name__ == "__main__":
    convert(*sys.argv[1:])
