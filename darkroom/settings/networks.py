"""The names of the networks, to be checked before anything heavy is imported."""

import difflib
from functools import cache
from pathlib import Path

SIMPLE_CNN = "simple_cnn"
SMALL_IMAGE_NET = "small_image_net"
CAPSULE_NET = "capsule_net"
# In place of a name: `select` chooses.
AUTO = "auto"

# The optimizer that fits the last layer of a network alone.
LBFGS = "lbfgs"

# Darkroom's own.
OWN = (SIMPLE_CNN, SMALL_IMAGE_NET, CAPSULE_NET)

# The classification networks of torchvision 0.28, then timm's as timm/NAME: one a line. A test holds them equal to the
# libraries' own lists.
PUBLISHED = Path(__file__).with_name("networks.txt")


@cache
def published_networks() -> tuple[str, ...]:
    """The names of the networks of other libraries."""
    return tuple(PUBLISHED.read_text(encoding="utf-8").split())


def torchvision_networks() -> tuple[str, ...]:
    """Those of them that are torchvision's."""
    return tuple(name for name in published_networks() if not name.startswith("timm/"))


def unknown_network(name: str) -> str | None:
    """What is wrong with a network's name, with the nearest known ones, or None when it is known."""
    if name in OWN or name in published_networks():
        return None
    if name == AUTO:
        return "auto is no network: the stage select chooses one"
    if f"timm/{name}" in published_networks():
        return f"there is no network {name!r}; did you mean timm/{name}?"
    near = difflib.get_close_matches(name, (*OWN, *published_networks()), n=3, cutoff=0.5)
    known = f"known are {', '.join(OWN)}, torchvision's networks, and timm's as timm/NAME"
    return f"there is no network {name!r}; " + (f"did you mean {', '.join(near)}?" if near else known)


def own_settings(name: str) -> tuple[str, ...]:
    """The names of the settings that a network is built with, beside the image's shape and the number of classes."""
    if name.startswith("timm/"):
        return ("pooling",)
    return {SIMPLE_CNN: ("filters", "depth", "dropout"), SMALL_IMAGE_NET: ("filters", "dropout")}.get(name, ())
