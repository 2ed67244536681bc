"""The candidates beside float: as numbers for files, and as a table for the terminal."""

from collections.abc import Mapping

from darkroom.compression.candidates import Candidate
from darkroom.compression.latency import LARGE_BATCH, Speed
from darkroom.compression.parity import Parity, loss_interval
from darkroom.statistics.intervals import wilson

CONFIDENCE = 0.95
DIGITS = 6


def accuracy_numbers(right: int, images: int) -> dict[str, float]:
    """Validation accuracy with its 95% interval, as metrics name them."""
    low, high = wilson(right, images, CONFIDENCE)
    numbers = {"accuracy": right / images, "accuracy_low": float(low), "accuracy_high": float(high)}
    return {name: round(value, DIGITS) for name, value in numbers.items()}


def loss_numbers(parity: Parity) -> dict[str, float]:
    """What a candidate loses beside float on the same images, with its 95% interval, as metrics name them."""
    low, high = loss_interval(parity, CONFIDENCE)
    numbers = {
        "accuracy_loss": parity.accuracy_loss,
        "accuracy_loss_low": low,
        "accuracy_loss_high": high,
        "label_disagreement": parity.label_disagreement,
    }
    return {name: round(value, DIGITS) for name, value in numbers.items()}


def least_loss_high(images: int) -> float:
    """The upper end of the loss's interval for a candidate that changes no answer on so many images."""
    same = Parity(images, 0.0, 0, 0.0, 0.0, images, images, 0, 0)
    return loss_interval(same, CONFIDENCE)[1]


def side_by_side(
    candidates: list[Candidate],
    numbers: Mapping[str, Mapping[str, float]],
    sizes: Mapping[str, int],
    speeds: Mapping[str, Speed],
) -> str:
    """All candidates, for the terminal; float first."""
    width = max(len(each.name) for each in candidates)
    lines = [
        f"  {'':{width}}  {'accuracy (95%)':>22}  {'loses (95%)':>21}  {'size':>10}  {'p50':>9}  {'p95':>9}"
        f"  {f'batches of {LARGE_BATCH}':>14}  {'times as fast':>20}"
    ]
    for each in candidates:
        found, speed = numbers[each.name], speeds[each.name]
        accuracy = f"{found['accuracy']:.2%} ({100 * found['accuracy_low']:.2f}-{100 * found['accuracy_high']:.2f})"
        lost = ratio = ""
        if each.name != "float":
            loss, low, high = (100 * found[f"accuracy_loss{end}"] for end in ("", "_low", "_high"))
            lost = f"{loss:.2f} ({low:.2f} to {high:.2f})"
            ratio = f"{speed.ratio:.2f} ({speed.low:.2f} to {speed.high:.2f})"
        lines.append(
            f"  {each.name:{width}}  {accuracy:>22}  {lost:>21}  {sizes[each.name] / 1e6:7.2f} MB  {speed.p50_ms:6.2f} ms"
            f"  {speed.p95_ms:6.2f} ms  {speed.images_per_second:8,.0f} img/s  {ratio:>20}".rstrip()
        )
    return "\n".join(lines)
