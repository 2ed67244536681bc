"""How fast the networks are here: the measurement behind docs/networks.md, which this writes.

Measures, for each network, in the precision that training would choose: images a second of training steps (forward,
cross-entropy, backward, SGD) and of answers (forward in eval mode), as the median of the steps of some two seconds after one
to warm up. The images are random, in memory, channels_last. Rows of networks that are not named stay as they are.

    python -m benchmarks.networks                             # all; ten minutes
    python -m benchmarks.networks resnet18 capsule_net
"""

import argparse
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from darkroom.inference.device import choose_device, resolve_precision
from darkroom.network.load import Normalized
from darkroom.network.zoo import build_network
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.networks import published_networks, torchvision_networks

PAGE = Path("docs/networks.md")
SETTINGS = {"filters": 32, "depth": 3, "dropout": 0.1}
CLASSES, SECONDS = 10, 2.0


@dataclass(frozen=True)
class Case:
    """A network for colour images of `size` pixels, in batches of `batch`; with `published`, with its published layers."""

    network: str
    size: int = 32
    batch: int = 128
    published: bool = False


CASES = (
    *(Case(name) for name in ("simple_cnn", "small_image_net", "capsule_net")),
    *(Case(name) for name in ("vgg11_bn", "vgg16", "resnet18", "resnet50", "regnet_y_400mf", "densenet121")),
    *(Case(name) for name in ("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "shufflenet_v2_x1_0")),
    *(Case(name) for name in ("efficientnet_b0", "timm/tf_efficientnet_lite0", "convnext_tiny")),
    *(Case(name) for name in ("vit_b_16", "timm/vit_tiny_patch16_224", "timm/vit_small_patch16_224", "swin_t")),
    *(Case(name, 224, 32, True) for name in ("resnet18", "mobilenet_v3_small", "timm/tf_efficientnet_lite0")),
)


def key(case: Case) -> str:
    """How a row begins."""
    stem = "as published" if case.published else "fitted"
    if case.network not in published_networks():
        stem = "its own"
    return f"| `{case.network}` | {case.size} x {case.size} x 3 | {stem} |"


def measure(case: Case) -> str:
    """One row of the table."""
    device = choose_device()
    torch.manual_seed(0)
    network = build_network(case.network, SETTINGS, CLASSES, 3, case.size, case.published)
    model = Normalized(network, [0.5] * 3, [0.25] * 3).to(device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randint(0, 256, (case.batch, case.size, case.size, 3), dtype=torch.uint8, device=device)
    labels = torch.arange(case.batch, device=device) % CLASSES
    precision, _ = resolve_precision("auto", device, model, images[:1])
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9, nesterov=True)

    def answer() -> torch.Tensor:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits: torch.Tensor = model(images)
        return logits

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(answer().float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    model.train()
    training = case.batch / _seconds(step, device)
    model.eval()
    with torch.no_grad():
        prediction = case.batch / _seconds(answer, device)
    count = sum(parameter.numel() for parameter in model.parameters())
    kind = str(precision).removeprefix("torch.")
    return f"{key(case)} {count:,} | {kind} | {_three(training)} | {_three(prediction)} |"


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """The median of some seconds' runs, after one that does not count."""
    taken: list[float] = []
    work()
    while sum(taken) < SECONDS:
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _three(rate: float) -> str:
    """Three digits that count."""
    return f"{float(f'{rate:.3g}'):,.0f}"


def machine() -> str:
    """What it was measured on."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}"
    found = (
        re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text()) if platform.system() == "Linux" else None
    )
    return f"{found[1] if found else platform.processor()}, {os.cpu_count()} cores, torch {torch.__version__}"


def render(rows: list[str]) -> str:
    """The whole page."""
    timm = len(published_networks()) - len(torchvision_networks())
    return f"""\
# Networks

`train.network` takes any of these names; for a mistyped one the message has the nearest.

- `simple_cnn`: blocks of two convolutions; `train.filters`, `train.depth` and `train.dropout` shape it.
- `small_image_net`: fast learning on 24 to 64 pixels; `train.filters` shapes it.
- `capsule_net`: capsules with dynamic routing (Sabour and others 2017), trained with the margin loss.
- torchvision's {len(torchvision_networks())} classification networks by their names: `resnet18`, `vgg16`, `vit_b_16`, …
- timm's {timm:,} networks as `timm/` and their names: `timm/tf_efficientnet_lite0`, …

All take grey and colour images, and the number of classes from the class list. A size that a network does not take is refused
before training, with one that it takes.

## The last layer alone

With `train.freeze=backbone` and images as they are (no augmentation) `train.optimizer=auto` is `lbfgs`: the features of each
image are computed once, and the last layer is a multinomial logistic regression on them. Five folds, in which neighbours and
groups are held out together, choose the strength of its penalty, and their answers to the images that they were not fitted to
are written beside the weights: for label suspects, for calibration where there are fewer than 1,000 validation images, and
for the measurement of INT8. An explicit `adamw`, or augmentation, trains by epochs. `train.pooling=grid` gives the layer the
means of 4 x 4 cells of two maps of one of timm's networks in place of one mean ([measured](decisions/2026-11-28-heads.md)).

## Small images

Networks for photographs of 224 pixels divide the picture by 32. For images of up to 64 pixels, and where no published
weights are loaded, their first layers are fitted, so that some four pixels are left at the end and nothing is enlarged:

| kind | what is fitted |
|---|---|
| ResNet, DenseNet, GoogLeNet | 7 x 7 with stride 2 becomes 3 x 3 with stride 1, the pooling behind it goes |
| MobileNet, EfficientNet, RegNet and others | the first strides become 1: two of five at 32 pixels, one at 64, four at 8 |
| ConvNeXt, Swin | smaller first patches |
| Vision Transformer | patches of about an eighth of the side: 4 pixels at 28 and 32 |
| VGG | all five halvings stay, rounded up; the head reads one pixel and has 0.5 million weights, not 124 |

`inception_v3` needs 75 pixels, `maxvit_t` multiples of 224; some of timm's networks keep their published layers at every size.

## Parameters and speed

Measured on {machine()}, with {CLASSES} classes and batches of 128 images (32 at 224 pixels), by
`python -m benchmarks.networks`, which writes this page: images a second in training and in prediction, by torch.

| network | input | first layers | parameters | precision | training, img/s | prediction, img/s |
|---|---|---|--:|---|--:|--:|
{chr(10).join(rows)}
"""


def known_rows() -> dict[str, str]:
    """The rows that the page has, by their beginnings."""
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    return {key(case): line for case in CASES for line in lines if line.startswith(key(case))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="only these (default: all)")
    names = parser.parse_args().names
    if unknown := set(names) - {case.network for case in CASES}:
        raise DarkroomError(f"{', '.join(sorted(unknown))}: not on the page; CASES in this file lists what is")
    rows = known_rows()
    for case in CASES:
        if not names or case.network in names:
            rows[key(case)] = measure(case)
            print(rows[key(case)], flush=True)
            PAGE.write_text(render([rows[key(one)] for one in CASES if key(one) in rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
