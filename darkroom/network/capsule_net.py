"""A capsule network: the length of a vector is the presence of a thing, its direction the pose."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# A capsule's length is between 0 and 1. Ten times that is a logit: with the lengths that the margin loss asks for, 0.9 and
# 0.1, the softmax over ten classes gives 99.7%.
LOGIT_SCALE = 10.0

PRIMARY_DIMENSION, CLASS_DIMENSION = 8, 16
PRIMARY_KINDS = 16
ROUNDS = 3

# Side and channels of the maps that the primary capsules are made from: halved until they are this small.
LARGEST_MAP = 8
WIDTH = 128


class CapsuleNet(nn.Module):
    """Capsules with dynamic routing: Sabour, Frosst, Hinton 2017 (https://arxiv.org/abs/1710.09829).

    Other than there, pairs of 3 x 3 convolutions with batch normalisation make the maps, in place of one 9 x 9
    convolution, and the primary capsules come from 3 x 3 instead of 9 x 9: a tenth of the arithmetic, for every size of
    picture, and better with few images. No decoder.

    Args:
        classes: how many logits come out.
        channels: of the input image.
        size: side of the images, in pixels; each primary capsule has weights for its own place.
    """

    def __init__(self, classes: int, channels: int, size: int) -> None:
        super().__init__()
        halvings = max(0, math.ceil(math.log2(size / LARGEST_MAP)))
        layers: list[nn.Module] = []
        before = channels
        for number in range(halvings + 1):
            width = max(32, WIDTH >> (halvings - number))
            layers += [nn.MaxPool2d(2)] if number else []
            for _ in range(2):
                layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                before = width
        self.features = nn.Sequential(*layers)
        self.primary = nn.Sequential(
            nn.Conv2d(before, PRIMARY_KINDS * PRIMARY_DIMENSION, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(PRIMARY_KINDS * PRIMARY_DIMENSION),
        )
        places = math.ceil((size >> halvings) / 2) ** 2
        self.head = ClassCapsules(PRIMARY_KINDS * places, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes] of normalised images [N, channels, H, W]: the lengths of the class capsules, scaled."""
        maps = self.primary(self.features(images))
        # [N, kinds * dimension, H, W] to one row a picture, a capsule's values side by side.
        capsules = maps.flatten(2).unflatten(1, (PRIMARY_KINDS, PRIMARY_DIMENSION)).transpose(2, 3)
        logits: Tensor = self.head(capsules.flatten(1))
        return logits


class ClassCapsules(nn.Module):
    """From primary capsules to one capsule a class, by routing: each primary capsule turns to the classes that agree with it.

    Args:
        capsules: how many primary capsules.
        classes: how many logits come out.
    """

    def __init__(self, capsules: int, classes: int) -> None:
        super().__init__()
        self.capsules, self.classes = capsules, classes
        self.weight = nn.Parameter(torch.empty(capsules, PRIMARY_DIMENSION, classes * CLASS_DIMENSION))
        nn.init.normal_(self.weight, std=0.1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits float32 [N, classes] of primary capsules [N, capsules * 8], not yet squashed."""
        primary = squash(features.float().reshape(-1, self.capsules, PRIMARY_DIMENSION))
        # A product of matrices for each primary capsule: [P, N, 8] x [P, 8, K * 16].
        guesses = torch.bmm(primary.transpose(0, 1), self.weight)
        guesses = guesses.reshape(self.capsules, -1, self.classes, CLASS_DIMENSION).permute(1, 2, 0, 3)  # [N, K, P, 16]
        # The rounds before the last only find the coupling: no gradient goes through them.
        fixed = guesses.detach()
        agreement = torch.zeros_like(fixed[..., 0], dtype=torch.float32)  # [N, K, P]
        for _ in range(ROUNDS - 1):
            output = squash(_coupled(agreement, fixed))
            agreement = agreement + (fixed @ output.unsqueeze(3).to(fixed.dtype)).squeeze(3)
        lengths = _length(squash(_coupled(agreement, guesses))).squeeze(2)
        return LOGIT_SCALE * lengths


def _coupled(agreement: Tensor, guesses: Tensor) -> Tensor:
    """The sum of the guesses [N, K, P, D], weighted by each primary capsule's coupling to the class: float32 [N, K, D]."""
    coupling = functional.softmax(agreement, dim=1).to(guesses.dtype)
    return (coupling.unsqueeze(2) @ guesses).squeeze(2).float()


def squash(vectors: Tensor) -> Tensor:
    """Vectors [..., D] of the same directions, with lengths l² / (1 + l²): equation 1 of the paper."""
    length = _length(vectors)
    return vectors * (length / (1 + length**2))


def _length(vectors: Tensor) -> Tensor:
    """[..., 1]; the small number keeps the gradient finite at zero."""
    return (vectors.square().sum(-1, keepdim=True) + 1e-7).sqrt()
