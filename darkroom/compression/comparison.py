"""Float beside INT8: as numbers for files, and as a table for the terminal."""

from dataclasses import asdict

from darkroom.compression.latency import LARGE_BATCH, Race
from darkroom.compression.parity import Parity, loss_interval
from darkroom.scoring.intervals import wilson

CONFIDENCE = 0.95
DIGITS = 6


def accuracy_numbers(parity: Parity) -> dict[str, float]:
    """Validation accuracy of float and INT8 and their paired difference, with 95% intervals, as metrics name them."""
    numbers: dict[str, float] = {}
    for name, right in (("float", parity.right_before), ("int8", parity.right_after)):
        low, high = wilson(right, parity.images, CONFIDENCE)
        numbers |= {
            f"{name}_accuracy": right / parity.images,
            f"{name}_accuracy_low": float(low),
            f"{name}_accuracy_high": float(high),
        }
    low_loss, high_loss = loss_interval(parity, CONFIDENCE)
    numbers |= {
        "accuracy_loss": parity.accuracy_loss,
        "accuracy_loss_low": low_loss,
        "accuracy_loss_high": high_loss,
        "label_disagreement": parity.label_disagreement,
    }
    return {name: round(value, DIGITS) for name, value in numbers.items()} | {"images": parity.images}


def side_by_side(numbers: dict[str, float], sizes: tuple[int, ...], speeds: Race) -> str:
    """Float and INT8 side by side, for the terminal."""
    lines = [
        f"  {'':5}  {'accuracy (95%)':>22}  {'size':>10}  {'p50':>9}  {'p95':>9}  {f'batches of {LARGE_BATCH}':>14}"
    ]
    for name, size, speed in zip(("float", "int8"), sizes, (speeds.baseline, speeds.candidate), strict=True):
        low, high = numbers[f"{name}_accuracy_low"], numbers[f"{name}_accuracy_high"]
        accuracy = f"{numbers[f'{name}_accuracy']:.2%} ({100 * low:.2f}-{100 * high:.2f})"
        lines.append(
            f"  {name:5}  {accuracy:>22}  {size / 1e6:7.2f} MB  {speed.p50_ms:6.2f} ms  {speed.p95_ms:6.2f} ms"
            f"  {speed.images_per_second:8,.0f} img/s"
        )
    low, high = numbers["accuracy_loss_low"], numbers["accuracy_loss_high"]
    lines.append(
        f"  int8 loses {100 * numbers['accuracy_loss']:.2f} points ({100 * low:.2f} to {100 * high:.2f}) and is "
        f"{speeds.ratio:.2f} times as fast ({speeds.low:.2f} to {speeds.high:.2f}), on one thread"
    )
    return "\n".join(lines)


def times(speeds: Race, threads: int) -> dict[str, object]:
    """The content of `quantize_latency.json`."""
    return {
        "threads": threads,
        "float": asdict(speeds.baseline),
        "int8": asdict(speeds.candidate),
        "speedup": speeds.ratio,
        "speedup_low": speeds.low,
        "speedup_high": speeds.high,
        "rounds": speeds.rounds,
    }
