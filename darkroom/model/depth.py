"""Depth: which values of files that hold other than 8 bits a value become black and white; stored with the weights."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from darkroom.runtime.checked_json import STRICT, one_of, read_checked
from darkroom.runtime.files import write_json

# In the folder of ingest, where a file holds other than 8 bits a value.
DEPTH = "depth.json"

Scale = tuple[float, float]


@dataclass(frozen=True)
class Depth:
    """The rule for a whole data set, chosen at ingest.

    A value becomes `255 * (value - low) / (high - low)`, limited to 0 to 255.

    Attributes:
        rule: `full`: each kind of values has the full scale of its bits, so that files of 8 bits, which have theirs, fit in;
            `range`: all images share the range of values that the data set holds.
        scales: kind of values → low and high. A kind is `uint16`, `uint12`, `int16`, … or `float`.
    """

    __pydantic_config__ = STRICT

    rule: Annotated[str, one_of("full", "range")]
    scales: dict[Annotated[str, Field(pattern=r"^(u?int([1-9]|[1-5][0-9]|6[0-4])|float)$")], Scale]

    def __post_init__(self) -> None:
        if not self.scales or not all(low < high for low, high in self.scales.values()):
            raise ValueError("have for each kind of values a low that is below its high")

    def to_dict(self) -> dict[str, Any]:
        return {"rule": self.rule, "scales": {kind: list(scale) for kind, scale in self.scales.items()}}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Depth":
        """What `to_dict` gave."""
        scales = {kind: (float(low), float(high)) for kind, (low, high) in content["scales"].items()}
        return cls(str(content["rule"]), scales)


def save_depth(depth: Depth | None, ingest: Path) -> None:
    """Write the rule of a data set, where it has one."""
    if depth:
        write_json(ingest / DEPTH, depth.to_dict())


def load_depth(ingest: Path) -> Depth | None:
    """The rule that ingest wrote; None where all images have 8 bits."""
    path = ingest / DEPTH
    return read_checked(path, Depth, "run `dvc repro ingest`") if path.exists() else None


def full_scale(kind: str) -> Scale:
    """The lowest and the highest value that a kind can hold; floats are taken for fractions, as software writes them."""
    found = re.fullmatch(r"(u?)int(\d+)", kind)
    if found is None:
        return 0.0, 1.0
    values = 2.0 ** int(found[2])
    return (0.0, values - 1) if found[1] else (-values / 2, values / 2 - 1)


def describe_kind(kind: str) -> str:
    """`16-bit`, `signed 8-bit`, `floating-point`."""
    found = re.fullmatch(r"(u?)int(\d+)", kind)
    return "floating-point" if found is None else f"{'' if found[1] else 'signed '}{found[2]}-bit"


def describe_scale(scale: Scale) -> str:
    """`0 to 4,095`, `-0.25 to 3.5`."""
    low, high = (f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}" for value in scale)
    return f"{low} to {high}"
