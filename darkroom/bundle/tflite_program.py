"""A trained network as a `torch.export` program of one image, which the converter to TFLite reads: a program of its own.

    python -m darkroom.bundle.tflite_program models/train network.pt2

`predict`, which has the network in memory, writes it by itself. The process is for `export`, which needs no torch: where the
cache of `predict` is gone.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.nn.utils.fusion import fuse_conv_bn_weights

from darkroom.inference.export import without_inplace
from darkroom.inference.network_graph import quiet
from darkroom.inference.session import INPUT, OUTPUT
from darkroom.model.spec import Preprocessing
from darkroom.network.folding import fold_batch_norms
from darkroom.network.load import load_model

CONVOLUTIONS = (torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding)


class Probabilities(nn.Module):
    """A classifier with a softmax, whose output has the name that it will have in the file's signature."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """By name, probabilities float32 [N, K] of images uint8 [N, S, S, C]."""
        return {OUTPUT: torch.softmax(self.model(images), dim=1)}


def write_program(folded: nn.Module, preprocessing: Preprocessing, target: Path) -> None:
    """Write the program: from `images`, uint8 [1, S, S, C], to `probabilities`, float32 [1, K], not calibrated yet.

    Args:
        folded: the network, in eval mode, as `fold_batch_norms` gives it.
        preprocessing: of its images.
        target: the file to write.
    """
    side, channels = preprocessing.size, preprocessing.channels
    # One image at a time: that is what phones run, and what every accelerator of theirs accepts.
    example = {INPUT: torch.zeros(1, side, side, channels, dtype=torch.uint8)}
    with quiet(), without_inplace(folded), torch.no_grad():
        program = torch.export.export(Probabilities(folded).eval(), (), example)
        module = program.module()
        assert isinstance(module, GraphModule)
        if fold_exported_batch_norms(module):
            program = torch.export.export(module, (), example)
        torch.export.save(program, target)


def fold_exported_batch_norms(program: GraphModule) -> int:
    """Put each batch normalisation that still follows a convolution into its weights, in place: the same function.

    Those of modules are folded before the export, which takes 2 s longer with them; a network that calls them as functions has
    them left.

    The converter takes a normalisation apart into ten operations, and passes over all of them five times: EfficientNet-Lite0
    took 38 s with its 48 normalisations, and 14 s without (one core).

    Args:
        program: of `torch.export`, in eval mode.

    Returns:
        Their number.
    """
    tensors = dict(program.named_parameters()) | dict(program.named_buffers())

    def tensor(node: object) -> Any:
        # Bias, scale and shift may be missing.
        return tensors[str(node.target)] if isinstance(node, Node) else None

    folded = 0
    for norm in list(program.graph.nodes):
        if norm.target is not torch.ops.aten.batch_norm.default:
            continue
        conv, weight, bias, mean, variance, *_, epsilon, _ = norm.args
        if conv.target not in CONVOLUTIONS or len(conv.users) != 1:
            continue
        inputs = [*conv.args, None][:3]
        fused = fuse_conv_bn_weights(
            tensor(inputs[1]), tensor(inputs[2]), tensor(mean), tensor(variance), epsilon, tensor(weight), tensor(bias)
        )
        names = f"folded_weight_{folded}", f"folded_bias_{folded}"
        for name, value in zip(names, fused, strict=True):
            program.register_buffer(name, value.detach())
        with program.graph.inserting_before(conv):
            new = [program.graph.get_attr(name) for name in names]
        conv.args = (inputs[0], *new, *conv.args[3:])
        norm.replace_all_uses_with(conv)
        program.graph.erase_node(norm)
        folded += 1
    program.graph.eliminate_dead_code()
    program.recompile()
    return folded


def _main() -> None:
    network, spec = load_model(Path(sys.argv[1]))
    shape = spec.preprocessing
    example = torch.zeros(1, shape.size, shape.size, shape.channels, dtype=torch.uint8)
    write_program(fold_batch_norms(network, example), shape, Path(sys.argv[2]))


if __name__ == "__main__":
    _main()
