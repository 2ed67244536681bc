"""Files of weights, opened without running anything that is in them."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

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
