"""The parity certificate: what the bundle's graphs answer beside what the evaluated model answered, and the limits."""

from typing import Any

from darkroom.bundle import FLOAT_GRAPH, INT8_GRAPH
from darkroom.compression.parity import Parity
from darkroom.compression.replay import Evaluated
from darkroom.errors import DarkroomError
from darkroom.scoring.intervals import wilson

DIGITS = 6


def require_parity(
    found: dict[str, Parity], tested: Evaluated, most_difference: float, most_disagreement: float
) -> None:
    """Stop when a graph of the bundle is outside its limit.

    Args:
        found: by the file names of the graphs.
        tested: the images.
        most_difference: that any probability of the float graph may have.
        most_disagreement: share of images on which the INT8 graph, if there is one, may name another class; the lower end
            of the share's 95% interval is held against it.

    Raises:
        DarkroomError: with every graph that is outside, and by how much.
    """
    # `not <=` rather than `>`, so that a NaN is outside too.
    faults = []
    exact = found[FLOAT_GRAPH]
    if not exact.largest_difference <= most_difference:
        faults.append(
            f"{FLOAT_GRAPH}: a probability differs by {exact.largest_difference:.6f}, {most_difference:g} allowed "
            f"(at {tested.paths[exact.worst]}; labels differ on {exact.label_disagreement:.2%}, accuracy is "
            f"{exact.accuracy_after:.2%} instead of {exact.accuracy_before:.2%})"
        )
    small = found.get(INT8_GRAPH)
    if small and not _surely_at_least(small.label_disagreement, small.images) <= most_disagreement:
        faults.append(
            f"{INT8_GRAPH}: labels differ on {small.label_disagreement:.2%}, {most_disagreement:.2%} allowed (accuracy is "
            f"{small.accuracy_after:.2%} instead of {small.accuracy_before:.2%}); where that is no fault but the price of "
            "8 bits, raise quantize.min_speedup to ship the float graph, or export.max_label_disagreement"
        )
    if faults:
        raise DarkroomError(
            f"parity: on {exact.images:,} test images the bundle does not answer as the evaluated model did, so it was not "
            f"written:\n" + "\n".join(f"  - {fault}" for fault in faults)
        )


def _surely_at_least(share: float, images: int) -> float:
    """The lower end of a share's 95% interval: of 15 test images one may differ by chance, and is 6.7% of them."""
    return float(wilson(round(share * images), images, 0.95)[0])


def certificate(found: dict[str, Parity], tested: Evaluated, limits: dict[str, float]) -> dict[str, Any]:
    """The content of `parity.json`. Differences below half a millionth become 0: their last bits are the processor's."""
    return {
        "images": len(tested.paths),
        "of": tested.available,
        "pixels_equal": True,
        "evaluated_accuracy": round(found[FLOAT_GRAPH].accuracy_before, DIGITS),
        "limits": limits,
        "graphs": {
            name: {
                "largest_difference": round(parity.largest_difference, DIGITS),
                "mean_difference": round(parity.mean_difference, DIGITS),
                "label_agreement": round(1 - parity.label_disagreement, DIGITS),
                "accuracy": round(parity.accuracy_after, DIGITS),
                "accuracy_difference": round(parity.accuracy_after - parity.accuracy_before, DIGITS),
            }
            for name, parity in found.items()
        },
    }


def parity_table(found: dict[str, Parity], tested: Evaluated, served: str) -> str:
    """The graphs beside the evaluated model, for the terminal."""
    lines = [
        f"export: {len(tested.paths):,} of {tested.available:,} test images from file bytes, pixels equal",
        f"  {'':15}  {'largest difference':>18}  {'mean':>8}  {'labels equal':>12}  {'accuracy':>8}",
        f"  {'evaluated':15}  {'':18}  {'':8}  {'':12}  {found[FLOAT_GRAPH].accuracy_before:8.2%}",
    ]
    for name, parity in found.items():
        lines.append(
            f"  {name:15}  {parity.largest_difference:18.6f}  {parity.mean_difference:8.6f}"
            f"  {1 - parity.label_disagreement:12.2%}  {parity.accuracy_after:8.2%}{'  ships' if name == served else ''}"
        )
    return "\n".join(lines)
