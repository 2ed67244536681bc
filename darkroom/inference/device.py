"""Device, precision and memory of torch, by fixed rules on what the processor has, so that two runs choose alike."""

import ctypes
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from darkroom.runtime.environment import set_default
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.processor import cpu_flags


def choose_device() -> torch.device:
    """The first CUDA device where there is one, else the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def resolve_precision(requested: str, device: torch.device, model: nn.Module, image: Tensor) -> tuple[torch.dtype, str]:
    """The type of a step's multiplications for this network, and the reason as text.

    Args:
        requested: `auto`, `float32`, `bfloat16` or `float16`.
        device: where the training runs.
        model: takes uint8 [N, S, S, C].
        image: one, uint8 [1, S, S, C]; its values do not matter.

    Returns:
        As `choose_precision`; but float32 for `auto` where torch's bfloat16 gradients are wrong.

    Raises:
        DarkroomError: for a type that this device or network can't be trained in.
    """
    precision, reason = choose_precision(requested, device)
    if precision == torch.float16 and device.type != "cuda":
        raise DarkroomError("train.precision=float16 is for GPUs, and there is none here: set train.precision=auto")
    if precision != torch.bfloat16 or device.type != "cpu":
        return precision, reason
    layer = convolution_with_wrong_gradients(model, image)
    if layer is None:
        return precision, reason
    if requested == "bfloat16":
        raise DarkroomError(
            f"the network has {layer}, whose bfloat16 gradients are wrong in torch {torch.__version__}: set "
            "train.precision=auto, or a larger preprocess.size"
        )
    return torch.float32, f"bfloat16 gradients are wrong for {layer}"


def use_deterministic_algorithms() -> None:
    """Restrict torch to operations that give the same bits each time."""
    # cuBLAS asks for this before its first product.
    set_default("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # The same as `use_deterministic_algorithms(True)`, which loads torch's compiler, too: 1.5 s for what is never compiled.
    torch.set_deterministic_debug_mode("error")
    # Else torch writes NaN into all memory that it takes, for code that reads what it never wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def choose_precision(requested: str, device: torch.device) -> tuple[torch.dtype, str]:
    """The type of a step's multiplications, and the reason as text.

    Args:
        requested: `auto`, or the type itself.
        device: where the training runs.

    Returns:
        For `auto`: bfloat16 where AMX, AVX512-BF16 or a CUDA device multiplies it in
        hardware. Measured on two Zen 5 cores with AVX512-BF16: 3,270 images/s instead of 1,780 for the default network.
    """
    if requested != "auto":
        return getattr(torch, requested), "train.precision is set"
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16, "this GPU multiplies it in hardware"
        return torch.float16, "this GPU has no bfloat16"
    found = [name for name in ("amx_bf16", "avx512_bf16") if name in cpu_flags()]
    if found:
        return torch.bfloat16, f"this processor has {found[0]}"
    return torch.float32, "this processor does not multiply bfloat16 in hardware"


def convolution_with_wrong_gradients(model: nn.Module, image: Tensor) -> str | None:
    """A description of the first convolution whose bfloat16 gradient is wrong, or None.

    Where the padding is as wide as the picture, torch 2.13 on CPUs leaves the bfloat16 gradient of weights that meet padding
    alone uninitialised: NaN or values of 1e35 in up to 24 of 25 backward passes, none in float32. No loss shows it, since
    these weights are multiplied by zeros. 3 x 3 with stride 1 was correct in all passes, and so was every wider picture.

    Args:
        model: takes uint8 [N, S, S, C].
        image: one, uint8 [1, S, S, C]; its values do not matter.
    """
    found: list[str] = []

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str)
        side, kernel, stride = min(inputs[0].shape[2:]), max(layer.kernel_size), max(layer.stride)
        if max(layer.padding) >= side and (kernel, stride) != (3, 1):
            found.append(f"a {kernel} x {kernel} convolution with stride {stride} over pictures {side} wide")

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str)]
    handles = [layer.register_forward_pre_hook(look) for layer in layers]
    training = model.training
    with torch.no_grad():
        model.eval()(image)
    model.train(training)
    for handle in handles:
        handle.remove()
    return found[0] if found else None


def side_by_side(work: Callable[[Sequence[int]], None], starts: Sequence[int], device: torch.device) -> None:
    """Work on batches, on a processor a part of them on each core in one thread; elsewhere all of them in this one.

    The threads within an operator wait for each other: 240 images of 224 pixels in EfficientNet-Lite0 took 4.6 s of two busy
    cores in bfloat16, and 2.2 s with a batch on each.

    Args:
        work: given starts of batches; gradients, inference mode and autocast are of a thread, so it sets its own.
        starts: of all batches.
        device: where `work` computes.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        work(starts)
        return
    # What a new thread begins with.
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(work, starts[part::threads]) for part in range(min(threads, len(starts)))]:
                done.result()
    finally:
        torch.set_num_threads(threads)


# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Keep freed memory for the next step, from here to the end of the process; glibc alone, nothing elsewhere.

    A step frees its tensors and asks for the same again. By default glibc gives the large ones back to the kernel, which fills
    every page with zeros before it hands it out anew: about a tenth of a step (docs/decisions/2026-11-23-training.md).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        # No allocation gets a mapping of its own, and the heap shrinks only from 2 GiB of free memory on.
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


class Float32Conv2d(nn.Conv2d):
    """A convolution that stays in float32 whatever the precision around it."""

    def forward(self, input: Tensor) -> Tensor:
        """As `nn.Conv2d`, in float32."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def depthwise_in_float32(model: nn.Module) -> int:
    """Make the depthwise convolutions of a network compute in float32 within bfloat16 steps, in place.

    Their bfloat16 gradient is not on the processor's fast path: it took 68% of a step of mobilenet_v3_small at 32 pixels, which
    trains at 625 images a second in place of 290 with this (two Zen 5 cores, batch 64). On GPUs there is no need.

    Returns:
        Their number.
    """
    found = [module for module in model.modules() if type(module) is nn.Conv2d and module.groups > 1]
    for module in found:
        module.__class__ = Float32Conv2d
    return len(found)
