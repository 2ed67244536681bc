"""What is trained: a whole network or some of its layer groups on images, or the last layer on stored features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from darkroom.inference.device import depthwise_in_float32
from darkroom.inference.features import features
from darkroom.network.cnn import SmallImageNet
from darkroom.network.layer_groups import LayerGroup, head, layer_groups
from darkroom.network.load import Normalized
from darkroom.runtime.arrays import Images
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.seeding import seed_of
from darkroom.training.batches import Rows

# Enough for the covariance of 12 values.
WHITENING_IMAGES = 5000
# Of a GPU's free memory, what the images of a split may take, so that a step has room; and images that are copied at a time.
GPU_PART, COPIED = 0.5, 4096


@dataclass(frozen=True)
class TrainableModel:
    """A model with the data that it is trained on.

    Attributes:
        model: takes `train` and gives logits.
        train, validation: images uint8 [N, S, S, C], as memory maps or on the device; or features float32 [N, F].
        precision: of the multiplications of a step; weights and losses are float32.
        start_epoch: called before each epoch (counted from 1); sets which parameters are trained in it.
        rate_scale: parameter name of `model` → what its learning rate is multiplied by.
        head: names of the last layer's parameters.
        note: what is trained, for the console; None for a whole network.
    """

    model: nn.Module
    train: Rows
    validation: Rows
    precision: torch.dtype
    start_epoch: Callable[[int], None]
    rate_scale: Mapping[str, float]
    head: frozenset[str]
    note: str | None


def make_trainable(
    model: Normalized,
    train: Images,
    validation: Images,
    *,
    device: torch.device,
    precision: torch.dtype,
    augmented: bool,
    freeze: str | int,
    unfreeze: Sequence[int],
    layer_decay: float,
) -> TrainableModel:
    """The whole network; or its last layer on stored features, where nothing else changes and no image does.

    Args:
        model: freshly made or loaded.
        train, validation: uint8 [N, S, S, C].
        device: where the model is; validation images go there, too.
        precision: of the multiplications.
        augmented: whether training images are augmented.
        freeze, unfreeze, layer_decay: as in `darkroom.settings.train.Train`.
    """
    if freeze == "backbone" and not unfreeze and not augmented:
        return _last_layer(model, train, validation, precision, device)
    if precision == torch.bfloat16 and device.type == "cpu":
        depthwise_in_float32(model)
    network = model.network
    # What a network fixes for good, such as a whitening, is never trained.
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    groups = [
        replace(group, parameters=[name for name in group.parameters if name in trained])
        for group in layer_groups(network)
    ]
    scales = {f"network.{name}": scale for name, scale in rate_scale(groups, layer_decay).items()}

    def start_epoch(epoch: int) -> None:
        model.train()
        freeze_all_but(network, trained_groups(groups, freeze, unfreeze, epoch))
        if isinstance(network, SmallImageNet) and epoch > 1:
            network.freeze_whitening()

    first = len(trained_groups(groups, freeze, unfreeze, 1))
    note = f"{first} of the network's {len(groups)} layer groups are trained at first" if first < len(groups) else None
    names = frozenset(f"network.{name}" for name in groups[-1].parameters)
    images = _near(validation, device), _near(train, device)
    return TrainableModel(model, images[1], images[0], precision, start_epoch, scales, names, note)


def _near(images: Images, device: torch.device) -> Rows:
    """Images uint8 [N, S, S, C] on a GPU where half of its free memory holds them; otherwise as they are, on the disk."""
    if device.type != "cuda" or images.nbytes > torch.cuda.mem_get_info(device)[0] * GPU_PART:
        return images
    resident = torch.empty(images.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), COPIED):
        rows = slice(start, start + COPIED)
        resident[rows] = torch.from_numpy(np.array(images[rows]))
    return resident


def _last_layer(
    model: Normalized, train: Images, validation: Images, precision: torch.dtype, device: torch.device
) -> TrainableModel:
    """The trained module is the model's own last layer, so that no weight has to be copied back."""
    last = head(model.network)
    rows = features(model, train, precision), features(model, validation, precision).to(device)
    names = frozenset(name for name, _ in last.named_parameters())
    count = len(train) + len(validation)
    note = f"only the last layer is trained, on the features of {count:,} images, computed once"

    def start_epoch(epoch: int) -> None:
        last.train()

    return TrainableModel(last, *rows, precision, start_epoch, {}, names, note)


def trained_groups(
    groups: Sequence[LayerGroup], freeze: str | int, unfreeze: Sequence[int], epoch: int
) -> list[LayerGroup]:
    """The layer groups that are trained in an epoch, in the order of the network.

    Args:
        groups: of the network, from the input to the head.
        freeze: `none`, `backbone` (all but the head), or how many groups from the input on.
        unfreeze: epochs, in order; from each on one more group is trained, the one nearest to the head first.
        epoch: counted from 1.

    Raises:
        DarkroomError: when nothing would be left to train, or when there are more epochs than frozen groups.
    """
    frozen = {"none": 0, "backbone": len(groups) - 1}.get(str(freeze))
    if frozen is None:
        frozen = int(freeze)
    if frozen >= len(groups):
        raise DarkroomError(
            f"train.freeze is {frozen}, and this network has {len(groups)} layer groups, the last layer among them: set "
            f"{len(groups) - 1} or less"
        )
    if len(unfreeze) > frozen:
        raise DarkroomError(
            f"train.unfreeze has {len(unfreeze)} epochs, and {frozen} layer groups are frozen (train.freeze={freeze}): give "
            f"{frozen} or fewer"
        )
    return list(groups[frozen - sum(epoch >= start for start in unfreeze) :])


def freeze_all_but(network: nn.Module, trained: Sequence[LayerGroup]) -> None:
    """Train some layer groups and freeze all others, in place; to be called after `network.train()`, which undoes it.

    Frozen modules are in eval mode: their batch normalisation keeps its running statistics, which the frozen weights were
    made with, and nothing is dropped in them.
    """
    parameters = {name for group in trained for name in group.parameters}
    modules = {name for group in trained for name in group.modules}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in parameters)
    for name, module in network.named_modules():
        if name and name not in modules and not any(inner.startswith(f"{name}.") for inner in modules):
            module.eval()


def rate_scale(groups: Sequence[LayerGroup], layer_decay: float) -> dict[str, float]:
    """Parameter name → what its learning rate is multiplied by: 1 in the head, `layer_decay` times less for each group before.

    Howard and Ruder 2018 (https://arxiv.org/abs/1801.06146, section 3.1): lower layers hold what is general, and change less.
    """
    steps = range(len(groups) - 1, -1, -1)
    return {name: layer_decay**step for step, group in zip(steps, groups, strict=True) for name in group.parameters}


def whiten_first_layer(model: Normalized, train: Images, seed: int) -> None:
    """Set the first layer of a fresh `small_image_net` from training images uint8 [N, S, S, C]; other networks have none."""
    if isinstance(model.network, SmallImageNet):
        chosen = np.random.default_rng(seed_of("whitening", seed)).permutation(len(train))[:WHITENING_IMAGES]
        model.network.init_whitening(model.normalised(torch.from_numpy(train[np.sort(chosen)])))
