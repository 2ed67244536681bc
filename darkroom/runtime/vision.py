"""The one place that imports torchvision, and timm, which imports it, too."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

COMPILER = "torch._dynamo"


@contextmanager
def _without_compiler() -> Iterator[None]:
    """While the block lasts, torch's compiler is a stand-in: it takes 1.3 s to load, and nothing here compiles.

    torchvision asks it for one answer that detection needs, and timm for a mark on one method that is not to be compiled.
    """
    if COMPILER in sys.modules:
        yield
        return
    package, names = ModuleType(COMPILER), ModuleType(f"{COMPILER}.utils")
    package.disable = lambda function, *_, **__: function  # type: ignore[attr-defined]
    names.is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
    stand_ins = {COMPILER: package, names.__name__: names}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _is_compile_supported(device: str) -> Any:
    from torch._dynamo.utils import is_compile_supported

    return is_compile_supported(device)


# torchvision's wheel carries operators compiled for CUDA. Beside a CPU build of torch they can't be loaded, and the import
# fails because two detection operators are not declared. Declaring them is enough for everything but detection; where
# they can be loaded the import below succeeds first and nothing is declared.
with _without_compiler():
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
    with _without_compiler():
        import timm

    return timm
