"""The one place that imports torchvision, and timm, which imports it, too."""

from types import ModuleType

import torch

# torchvision's wheel carries operators compiled for CUDA. Beside a CPU build of torch they can't be loaded, and the import
# fails because two detection operators are not declared. Declaring them is enough for everything but detection; where
# they can be loaded the import below succeeds first and nothing is declared.
try:
    import torchvision
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    _declared = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    _declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    import torchvision

__all__ = ["load_timm", "torchvision"]


def load_timm() -> ModuleType:
    """timm, a third of a second later, for those who need it."""
    import timm

    return timm
