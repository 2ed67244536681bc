"""A small convolutional network that has learnt scikit-learn's digits: what tests of smaller networks begin with."""

import functools

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

from darkroom.images.pack import Packed
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.network.load import Normalized, build_model

CLASSES = ClassList(tuple(str(digit) for digit in range(10)))


def spec_of(network: str, size: int = 8, channels: int = 1, **settings: int | float | str) -> ModelSpec:
    """What stands beside the weights of a network for ten classes."""
    preprocessing = Preprocessing(size, channels, "crop", "turbo", (0.5,) * channels, (0.25,) * channels)
    return ModelSpec(network, settings, "none", CLASSES, preprocessing, 1, "float32", 0, "d" * 12, "c" * 12)


SPEC = spec_of("simple_cnn", filters=16, depth=2, dropout=0.0)


def digits() -> Packed:
    """The first 1,280 digits, 8 x 8 grey pixels."""
    found = load_digits()
    images = np.round(found.images[:1280, :, :, None] * (255 / 16)).astype(np.uint8)
    ids = np.array([f"{index:016x}".encode() for index in range(len(images))])
    return Packed(images, found.target[: len(images)].astype(np.int64), ids)


@functools.cache
def learnt() -> Normalized:
    """The network; tests must not change it."""
    torch.manual_seed(0)
    model, train = build_model(SPEC), digits()
    images, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    for _ in range(4):
        for rows in torch.split(torch.randperm(len(labels)), 64):
            optimizer.zero_grad()
            cross_entropy(model(images[rows]), labels[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model.eval()
