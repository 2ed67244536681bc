"""Weights of an earlier training, put into a network."""

from pathlib import Path

from torch import Tensor, nn

from darkroom.network.grid import GridPooled
from darkroom.network.layer_groups import head_name
from darkroom.network.pretrained_input import require_same_network
from darkroom.network.weight_files import published_weights, read_weights
from darkroom.network.zoo import GreyInput
from darkroom.runtime.errors import DarkroomError

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
        # Layers behind the last map do not belong to it.
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
