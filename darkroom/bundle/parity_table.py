"""The models of a bundle beside the evaluated one, for the terminal."""

from darkroom.bundle.bundle import FLOAT_GRAPH
from darkroom.bundle.parity_report import CONFIDENCE
from darkroom.bundle.reference_predictions import Evaluated
from darkroom.compression.parity import Parity, loss_interval


def parity_table(found: dict[str, Parity], tested: Evaluated, served: str, left_out: dict[str, str]) -> str:
    """One line for each model: how far its answers lie from those of the evaluated one, and what becomes of it.

    Args:
        found: by the file names of the models.
        tested: the images.
        served: the model that answers.
        left_out: the reasons of models that did not get into the bundle.
    """
    width = max(map(len, found))
    lines = [
        f"export: {len(tested.paths):,} of {tested.available:,} test images from file bytes, pixels equal",
        f"  {'':{width}}  {'largest difference':>18}  {'mean':>8}  {'labels equal':>12}  {'accuracy':>8}"
        f"  {f'gain in points ({CONFIDENCE:.0%})':>26}",
        f"  {'evaluated':{width}}  {'':18}  {'':8}  {'':12}  {found[FLOAT_GRAPH].accuracy_before:8.2%}",
    ]
    for name, parity in found.items():
        low, high = loss_interval(parity, CONFIDENCE)
        gain = f"{_points(-parity.accuracy_loss)} ({_points(-high)} to {_points(-low)})"
        fate = "  answers" if name == served else "  left out" if name in left_out else ""
        lines.append(
            f"  {name:{width}}  {parity.largest_difference:18.6f}  {parity.mean_difference:8.6f}"
            f"  {1 - parity.label_disagreement:12.2%}  {parity.accuracy_after:8.2%}  {gain:>26}{fate}"
        )
    return "\n".join(lines)


def _points(share: float) -> str:
    return f"{round(100 * share, 2) + 0.0:+.2f}"
