"""Quantization-aware fine-tuning: weights that lose less in 8 bits, since they learnt with the rounding in place."""

import copy

import numpy as np
import torch
from torch import nn

from darkroom.compression.distillation import imitate
from darkroom.compression.fake_quantization import round_as_int8
from darkroom.compression.folding import fold_norms
from darkroom.images.pack import Packed

LEARNING_RATE = 1e-4


def quantization_aware(model: nn.Module, train: Packed, epochs: int, seed: int) -> nn.Module:
    """A float network like a trained one, of which static INT8 by smallest and largest value loses less.

    The normalisations are folded into the convolutions, and the network learns to answer as before while weights and values
    are rounded as `darkroom.compression.int8.quantize_graph` will round them; gradients pass the rounding as if it were not
    there (Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3).

    Args:
        model: what `darkroom.network.load.load_model` or `darkroom.compression.pruning.prune` gives; stays as it is.
        train: training images.
        epochs: of learning.
        seed: of order and augmentation.

    Returns:
        From uint8 [N, S, S, C] to logits float32 [N, K]; float32, without rounding, in eval mode, on the CPU. The same
        arguments give the same weights on the same kind of machine.

    Raises:
        DarkroomError: when the loss is no longer a number.
    """
    folded = copy.deepcopy(model).eval()
    images = torch.from_numpy(np.array(train.images[:2]))
    fold_norms(folded, images[:1])
    # The graph stands for the network while it learns: there the rounding can be put between any two operations.
    program = torch.export.export(folded, (images,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    student = program.module(check_guards=False)
    round_as_int8(student)
    imitate(student, model, train, epochs, LEARNING_RATE, torch.float32, seed, "rounded, learns")
    learnt = student.state_dict()
    folded.load_state_dict({name: learnt[name] for name in folded.state_dict()})
    return folded
