"""A network together with its normalisation: uint8 images in, logits out; built, saved and loaded."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from darkroom.model.spec import ModelSpec, load_spec
from darkroom.network.layer_groups import head
from darkroom.network.zoo import build_network
from darkroom.runtime.inputs import damaged


class Normalized(nn.Module):
    """The form in which a network is trained, evaluated and exported, so that normalisation has one place.

    Args:
        network: from float32 [N, C, H, W] to logits [N, K].
        mean, std: for each channel, of values in [0, 1].
        mirror: whether each image is answered with the mean over it and its mirror image. The network is then given twice the
            images, and the mean is taken of what goes into its last layer: for a linear one this is the mean of the logits, and
            the last layer keeps one row of features for each image. It must be linear.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float], mirror: bool = False) -> None:
        super().__init__()
        self.network = network
        self.mirror = mirror
        if mirror:
            last = linear_head(network)
            assert last is not None
            last.register_forward_pre_hook(_mean_of_pairs)
        # In units of the uint8 values: one subtraction and one division for each pixel. Not saved with the weights, since
        # model.json already holds them.
        self.register_buffer("mean", 255 * torch.tensor(mean, dtype=torch.float32), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std, dtype=torch.float32), persistent=False)

    def normalised(self, images: Tensor) -> Tensor:
        """Float32 [N, C, H, W] of images uint8 [N, H, W, C], with `mirror` [2N, C, H, W], the mirror images behind the others.

        The permuted batch is channels_last in memory without a copy.
        """
        if self.mirror:
            images = torch.cat([images, images.flip(2)])
        return ((images.to(torch.float32) - self.mean) / self.std).permute(0, 3, 1, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, K] of images uint8 [N, H, W, C]."""
        logits: Tensor = self.network(self.normalised(images))
        return logits


def build_model(spec: ModelSpec) -> Normalized:
    """The network that a `model.json` describes, freshly initialised, with its normalisation."""
    preprocessing = spec.preprocessing
    network = build_network(
        spec.network,
        spec.settings,
        len(spec.classes),
        preprocessing.channels,
        preprocessing.size,
        pretrained=spec.weights != "none",
    )
    return Normalized(network, preprocessing.mean, preprocessing.std, spec.mirror)


def linear_head(network: nn.Module) -> nn.Module | None:
    """The last layer where it is linear, as `darkroom.network.layer_groups.head` gives it; None where it is something else."""
    last = head(network)
    return last if isinstance(last[-1] if isinstance(last, nn.Sequential) else last, nn.Linear) else None


def _mean_of_pairs(_: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    """The features [N, F] of images from those of them and their mirror images, [2N, F]."""
    (rows,) = inputs
    return rows.reshape(2, -1, *rows.shape[1:]).mean(0)


def save_model(model: Normalized, spec: ModelSpec, folder: Path) -> None:
    """Write `weights.safetensors` and `model.json`."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    spec.save(folder / "model.json")


def load_model(folder: Path) -> tuple[Normalized, ModelSpec]:
    """Read what `save_model` wrote.

    Returns:
        A float32 module in eval mode, from images uint8 [N, S, S, C] to logits float32 [N, K]; and what stands beside it.

    Raises:
        FileNotFoundError: when there is no such file.
        DarkroomError: when the weights can't be read, are those of another network, or are no finite numbers.
    """
    spec, weights = load_spec(folder / "model.json"), folder / "weights.safetensors"
    model = build_model(spec)
    if weights.is_dir():
        raise damaged(weights, "it is a folder")
    try:
        model.network.load_state_dict(load_file(weights))
    except SafetensorError as error:
        raise damaged(weights, str(error)) from None
    except RuntimeError as error:
        # torch lists every layer that differs, one a line.
        differing = str(error).splitlines()[1:]
        raise damaged(weights, f"not of {spec.network}: {' '.join(' '.join(differing).split())[:200]}") from None
    broken = [name for name, value in model.network.state_dict().items() if not value.isfinite().all()]
    if broken:
        raise damaged(weights, f"{broken[0]} has values that are no finite numbers")
    return model.eval(), spec
