"""Weights in files: of an earlier training, opened without running anything in them, or as published for ImageNet."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from darkroom.network.pretrained_input import LITE0, PACKAGES, in_package
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.networks import torchvision_networks

# Where training scripts put a network's weights among what else they save; averaged weights first, as timm has it.
_NESTED = ("state_dict_ema", "model_ema", "state_dict", "model")

# What torch's wrappers for several processes and for compilation put before each name.
_WRAPPERS = ("module.", "_orig_mod.")

# A zip archive, and before torch 1.6 a pickle. What begins otherwise, torch meets with any exception there is.
_TORCH_STARTS = (b"PK", b"\x80\x02")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file, or a state dict that torch saved, on the CPU.

    Args:
        path: `*.safetensors`, or anything else for torch's format.

    Returns:
        Name → tensor, without the names of wrappers, in the order of the file.

    Raises:
        DarkroomError: when there is no such file, when it is damaged, when it holds objects in place of tensors (a pickled
            network would run code while it is opened, so it is refused), or when there are no weights in it.
    """
    if not path.is_file():
        raise DarkroomError(
            f"train.weights: there is no file {path}; known words are none, imagenet and download, all else is a file"
        )
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with path.open("rb") as file:
            if file.read(2) not in _TORCH_STARTS:
                raise pickle.UnpicklingError
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise DarkroomError(
            f"train.weights: {path} holds more than tensors, or is no file of torch's: opening it could run code. Save "
            "`network.state_dict()` in its place, with safetensors or torch.save"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, ValueError, LookupError) as error:
        raise DarkroomError(f"train.weights: {path} can't be read, it may be damaged or cut off ({error})") from None
    return _state_dict(content, path)


def _state_dict(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping):
        nested = next((content[key] for key in _NESTED if isinstance(content.get(key), Mapping)), content)
        tensors = {str(name): value for name, value in nested.items() if isinstance(value, Tensor)}
        if tensors and len(tensors) == len(nested):
            for wrapper in _WRAPPERS:
                if all(name.startswith(wrapper) for name in tensors):
                    tensors = {name.removeprefix(wrapper): value for name, value in tensors.items()}
            return tensors
    raise DarkroomError(f"train.weights: {path} is not a state dict: it should hold names and their tensors")


# Hugging Face repositories of timm's weights have one of these.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


def published_weights(network: nn.Module, name: str, fetch: bool) -> tuple[dict[str, Tensor], str]:
    """The published weights of a network, under the names of its own state dict, and their source as text.

    Args:
        network: built by `darkroom.network.zoo.build_network` with `pretrained=True`, without the cover for grey images.
        name: as in `train.network`.
        fetch: download what is not on this machine; else nothing reaches for the network.

    Raises:
        DarkroomError: when there are none, or none on this machine and `fetch` is false, or when the download fails.
    """
    file = None if in_package(name) else published_file(name, fetch)
    if in_package(name):
        return _from_package(
            network, name
        ), f"ImageNet weights of the package {PACKAGES[name].module.replace('_', '-')}"
    try:
        weights = (_timm if name.startswith("timm/") else _torchvision)(network, name, file)
    except OSError as error:
        raise DarkroomError(
            f"train.weights=download: the weights of {name} can't be fetched ({error}): set train.weights to a file, or "
            f"take train.network={LITE0}, whose weights come with a package"
        ) from None
    return weights, f"published weights of {name}, {'fetched' if file is None else f'from {file.name}'}"


def published_file(name: str, fetch: bool) -> Path | None:
    """The file of a network's published weights in the usual caches; None where it is to be fetched.

    Raises:
        DarkroomError: when nothing is published for this network, or when the file is not there and `fetch` is false.
    """
    wanted = _timm_files(name) if name.startswith("timm/") else _torchvision_files(name)
    found = next((path for path in wanted.values() if path is not None and path.is_file()), None)
    if found is None and not fetch:
        raise DarkroomError(
            f"train.weights=imagenet: the weights of {name} are not on this machine (looked for {', '.join(wanted)}). Set "
            f"train.weights=download to fetch them, or to a file that you have; or take train.network={LITE0}, whose "
            "weights come with a package"
        )
    return found


def _torchvision_files(name: str) -> dict[str, Path | None]:
    """Torch's cache has files under the last segment of their address."""
    if name not in torchvision_networks():
        raise DarkroomError(
            f"train.weights: nothing is published for train.network={name}: set train.weights=none or to a file, or take "
            f"one of torchvision's or timm's networks"
        )
    from darkroom.runtime.vision import torchvision

    return _in_torch_cache(torchvision.models.get_model_weights(name).DEFAULT.url)


def _timm_files(name: str) -> dict[str, Path | None]:
    """Hugging Face's cache, or torch's for weights of before."""
    from huggingface_hub import try_to_load_from_cache

    from darkroom.runtime.vision import load_timm

    published = load_timm().models.get_pretrained_cfg(name.removeprefix("timm/"))
    if published is None or not published.has_weights:
        raise DarkroomError(f"train.weights: nothing is published for train.network={name}: set train.weights=none")
    wanted: dict[str, Path | None] = {}
    if published.hf_hub_id:
        for file in [published.hf_hub_filename] if published.hf_hub_filename else _HUB_FILES:
            cached = try_to_load_from_cache(published.hf_hub_id, file)
            wanted[f"{published.hf_hub_id}/{file}"] = Path(cached) if isinstance(cached, str) else None
    if isinstance(published.url, str) and published.url:
        wanted |= _in_torch_cache(published.url)
    return wanted


def _in_torch_cache(address: str) -> dict[str, Path | None]:
    file = PurePosixPath(urlparse(address).path).name
    return {file: Path(torch.hub.get_dir()) / "checkpoints" / file}


def _from_package(network: nn.Module, name: str) -> dict[str, Tensor]:
    """The package names its layers otherwise than timm, in the same order and with the same shapes.

    Of a network without its last layers, the tensors of those are left out.
    """
    file = PACKAGES[name].file()
    assert file is not None
    return dict(zip(network.state_dict(), read_weights(file).values(), strict=False))


def _torchvision(network: nn.Module, name: str, file: Path | None) -> dict[str, Tensor]:
    from darkroom.runtime.vision import torchvision

    if file is None:
        published = torchvision.models.get_model_weights(name).DEFAULT
        weights = dict(published.get_state_dict(progress=True, check_hash=True, weights_only=True))
    else:
        weights = read_weights(file)
    # Densenets were saved when their layers had other names, and auxiliary outputs are not part of our networks.
    old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
    weights = {old.sub(r"\1\2", key): value for key, value in weights.items() if not key.lower().startswith("aux")}
    if name.startswith("vit_"):
        from torchvision.models.vision_transformer import interpolate_embeddings

        return dict(interpolate_embeddings(network.image_size, network.patch_size, weights))
    return weights


def _timm(network: nn.Module, name: str, file: Path | None) -> dict[str, Tensor]:
    """By way of a second network, since timm knows for each family how weights of another size or of before are fitted."""
    arguments: dict[str, Any] = {"pretrained_cfg_overlay": {"file": str(file)}} if file else {}
    from darkroom.runtime.vision import load_timm

    timm, own = load_timm(), name.removeprefix("timm/")
    if timm.models.get_pretrained_cfg(own).fixed_input_size:
        arguments["img_size"] = network.patch_embed.img_size  # type: ignore[union-attr]
    filled: nn.Module = timm.create_model(own, pretrained=True, **arguments)
    return filled.state_dict()
