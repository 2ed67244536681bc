"""Which convolutions run at the processor's bfloat16 rate, and which do not.

Measures TFLOP/s of the forward pass, of the gradient of the pictures and of the gradient of the weights, each called alone as
training calls it (bfloat16, channels_last, and float32 beside it), over the shapes of the default network at 28 pixels,
ResNet-18 at 32 pixels, `small_image_net`, and those that were found to be slow. Medians of five runs after two that do not
count. The best of all is the ceiling that `benchmarks.training` stands beside.

    python -m benchmarks.convolutions
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from benchmarks.rounds import print_table

RUNS = 5


@dataclass(frozen=True)
class Shape:
    """A convolution of `batch` square pictures with padding that keeps their size."""

    before: int
    after: int
    side: int
    kernel: int = 3
    stride: int = 1
    groups: int = 1
    batch: int = 128

    def __str__(self) -> str:
        depthwise = ", depthwise" if self.groups > 1 else ""
        stride = f", stride {self.stride}" if self.stride > 1 else ""
        return f"{self.before} to {self.after}, {self.kernel} x {self.kernel} at {self.side}{stride}{depthwise}"

    def flops(self) -> int:
        """Of one pass, counting a multiplication and an addition as two."""
        pixels = self.batch * (self.side // self.stride) ** 2
        return 2 * pixels * self.after * (self.before // self.groups) * self.kernel**2


# The fastest that was found here.
CEILING = Shape(256, 256, 8)
SHAPES = (
    *(Shape(1, 32, 28), Shape(32, 32, 28), Shape(32, 64, 14), Shape(64, 64, 14), Shape(64, 64, 7)),
    *(Shape(3, 64, 32), Shape(64, 64, 32), Shape(64, 128, 32, stride=2), Shape(128, 128, 16), Shape(256, 256, 8)),
    *(Shape(256, 512, 8, stride=2), Shape(512, 512, 4), Shape(256, 256, 4), Shape(256, 256, 3)),
    *(Shape(24, 64, 31), Shape(32, 64, 31), Shape(24, 64, 16), Shape(32, 64, 16)),
    *(Shape(64, 64, 16, groups=64), Shape(72, 72, 16, 5, groups=72), Shape(96, 96, 16, 5, groups=96)),
)


def passes(shape: Shape, precision: torch.dtype) -> list[Callable[[], object]]:
    """The forward pass, the gradient of the pictures, and the gradient of the weights."""

    def like(*sizes: int) -> Tensor:
        return torch.randn(sizes).to(precision).to(memory_format=torch.channels_last)

    pictures = like(shape.batch, shape.before, shape.side, shape.side)
    weights = like(shape.after, shape.before // shape.groups, shape.kernel, shape.kernel)
    stride, padding = [shape.stride] * 2, [shape.kernel // 2] * 2

    def forward() -> Tensor:
        return conv2d(pictures, weights, None, stride, padding, 1, shape.groups)

    gradient = torch.randn_like(forward())

    def backward(*wanted: bool) -> Callable[[], object]:
        fixed = None, stride, padding, [1, 1], False, [0, 0], shape.groups
        return lambda: torch.ops.aten.convolution_backward(gradient, pictures, weights, *fixed, list(wanted))

    return [forward, backward(True, False, False), backward(False, True, False)]


def seconds(work: Callable[[], object]) -> float:
    """The median of some runs."""
    taken = []
    for _ in range(2 + RUNS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    torch.manual_seed(0)
    rows = []
    for shape in SHAPES:
        cells = []
        for precision in (torch.bfloat16, torch.float32):
            taken = [seconds(work) for work in passes(shape, precision)]
            cells += [f"{shape.flops() / one / 1e12:.2f}" for one in taken] + [f"{1000 * sum(taken):.1f}"]
        rows.append((str(shape), *cells))
    print(f"TFLOP/s over {SHAPES[0].batch} pictures; {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    names = ("forward", "pictures", "weights", "ms")
    print_table(("channels", *(f"bf16 {name}" for name in names), *(f"fp32 {name}" for name in names)), rows)


if __name__ == "__main__":
    main()
