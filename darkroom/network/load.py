"""Weights to disk and back."""

from pathlib import Path

from safetensors.torch import load_file, save_file

from darkroom.model.spec import ModelSpec, load_spec
from darkroom.network.normalized import Normalized
from darkroom.network.zoo import build_network


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
    return Normalized(network, preprocessing.mean, preprocessing.std)


def save_model(model: Normalized, spec: ModelSpec, folder: Path) -> None:
    """Write `weights.safetensors` and `model.json`."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    spec.save(folder / "model.json")


def load_model(folder: Path) -> tuple[Normalized, ModelSpec]:
    """Read what `save_model` wrote.

    Returns:
        A float32 module in eval mode, from images uint8 [N, S, S, C] to logits float32 [N, K]; and what stands beside it.
    """
    spec = load_spec(folder / "model.json")
    model = build_model(spec)
    model.network.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval(), spec
