"""Weights of an earlier training: read from a file without running anything in it, and put into a network."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from darkroom.network.layer_groups import head_name
from darkroom.network.pretrained_input import require_same_network
from darkroom.network.published import published_weights
from darkroom.network.zoo import GreyInput, GridPooled
from darkroom.runtime.errors import DarkroomError

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


# Names that an error lists.
LISTED = 3


def load_pretrained(network: nn.Module, name: str, weights: str) -> str | None:
    """Fill a network in place.

    Args:
        network: as `darkroom.network.load.build_model` makes it.
        name: as in `train.network`.
        weights: as in `train.weights`: `none`, `imagenet`, `download`, or a file.

    Returns:
        What was loaded, in words; None for `none`.

    Raises:
        DarkroomError: when there are no such weights, or when they do not fit, with the first names that do not. A last
            layer for another number of classes is no misfit: it stays fresh.
    """
    if weights == "none":
        return None
    inner = network.network if isinstance(network, GreyInput) else network
    assert isinstance(inner, nn.Module)
    if weights in ("imagenet", "download"):
        body = inner.network if isinstance(inner, GridPooled) else inner
        tensors, source = published_weights(body, name, fetch=weights == "download")
    else:
        require_same_network(name, Path(weights))
        tensors, source = read_weights(Path(weights)), f"weights in {weights}"
        # Darkroom's own files of a network with the cover for grey images.
        if all(key.startswith("network.") for key in tensors) and inner is not network:
            tensors = {key.removeprefix("network."): tensor for key, tensor in tensors.items()}
    if isinstance(inner, GridPooled) and not any(key.startswith("network.") for key in tensors):
        # Layers behind the last map are not part of it.
        own = inner.network.state_dict()
        tensors = {f"network.{key}": tensor for key, tensor in tensors.items() if key in own}
    return f"{source}{_fill(inner, tensors, f'{source} do not fit train.network={name}')}"


def _fill(network: nn.Module, tensors: dict[str, Tensor], misfit: str) -> str:
    """Load what there is; a sentence's end about the last layer."""
    own = network.state_dict()
    # Counts of batches, which older files do not have and nothing reads.
    missing = [key for key in own if key not in tensors and not key.endswith("num_batches_tracked")]
    surplus = [key for key in tensors if key not in own]
    reshaped = [key for key in own if key in tensors and tensors[key].shape != own[key].shape]
    fresh: set[str] = set()
    if missing or surplus or reshaped:
        last = head_name(network)
        fresh = {key for key in [*missing, *surplus, *reshaped] if key == last or key.startswith(f"{last}.")}
    faults = [
        *(f"{key} is missing" for key in missing if key not in fresh),
        *(f"{key} has no place" for key in surplus if key not in fresh),
        *(f"{key} is {list(tensors[key].shape)} for {list(own[key].shape)}" for key in reshaped if key not in fresh),
    ]
    if faults:
        more = f", and {len(faults) - LISTED} more" if len(faults) > LISTED else ""
        raise DarkroomError(f"train.weights: the {misfit}: {'; '.join(faults[:LISTED])}{more}")
    network.load_state_dict({key: tensors[key] for key in own if key in tensors and key not in fresh}, strict=False)
    return ", all but the last layer, which is new" if fresh else ", the last layer too"
