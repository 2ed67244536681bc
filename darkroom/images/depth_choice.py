"""Which values of a data set become black and white: chosen at ingest from all files that hold other than 8 bits a value."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.images.depth import PLAUSIBLE, is_plausible
from darkroom.model.depth import Depth, Scale, describe_kind, describe_scale, full_scale
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import count, plural, printable

# Bits that cameras, scanners and instruments write into the lower part of larger numbers.
CONTAINED_BITS = (8, 10, 12, 14, 16)


@dataclass(frozen=True)
class KindFound:
    """The files of a data set that hold one kind of values.

    Attributes:
        kind: as in `darkroom.model.depth.Depth`.
        files: how many.
        low, high: the lowest and the highest value of all of them.
        declared: what all of them say are black and white; None where they say nothing, or not the same.
        examples: paths of some of them, those with the widest range of values first.
        dim: how many have no value above a sixteenth of the highest of all, where none is negative.
    """

    kind: str
    files: int
    low: float
    high: float
    declared: Scale | None = None
    examples: tuple[str, ...] = ()
    dim: int = 0


def choose_depth(setting: str, found: list[KindFound], files: int, of_eight: Sequence[str] = ()) -> Depth | None:
    """The rule for a data set.

    Args:
        setting: `auto`, `full` or `range`, as `ingest.depth` has it.
        found: each kind of values other than 8 bits that its files hold.
        files: how many there are, those of 8 bits included.
        of_eight: paths of some that have 8 bits.

    Returns:
        None where all files have 8 bits.

    Raises:
        DarkroomError: when there is no rule for all of them.
    """
    if not found:
        return None
    if setting == "full":
        scales = {one.kind: _declared_scale(one) for one in found}
        for one in found:
            if not _fits(one, scales[one.kind]):
                raise DarkroomError(
                    f"ingest.depth is full, and {_describe(one, files)}, more than the full scale of "
                    f"{describe_scale(scales[one.kind])}: set ingest.depth to range{_name_files([one])}"
                )
        return Depth("full", scales)
    plausible = {one.kind: _plausible_scale(one) for one in found}
    if setting == "auto" and all(plausible.values()):
        return Depth("full", {kind: scale for kind, scale in plausible.items() if scale})
    eight = files - sum(one.files for one in found)
    if eight or (len(found) > 1 and setting == "auto"):
        kinds = "; ".join(_describe(one, files) for one in found)
        others = f", and {count(eight, 'other file has', 'other files have')} 8 bits" if eight else ""
        settings = ["full"] if all(_fits(one, _declared_scale(one)) for one in found) else []
        settings += [] if eight else ["range"]
        few = found + ([KindFound("uint8", eight, 0, 255, None, tuple(of_eight))] if eight < files - eight else [])
        remedy = f", or set ingest.depth to {' or '.join(settings)}" if settings else ""
        raise DarkroomError(
            f"{kinds}{others}: they have no scale in common. Ingest them as data sets of their own, or convert them to one "
            f"kind{remedy}. A few can be left out, each with a row of the action remove in data/label_fixes.csv"
            f"{_name_files(few)}"
        )
    scale = (min(one.low for one in found), max(one.high for one in found))
    if scale[0] == scale[1]:
        scale = (scale[0], scale[0] + 1)
    return Depth("range", {one.kind: scale for one in found})


def _declared_scale(one: KindFound) -> Scale:
    """What the files say, as long as their values fit in: the largest value of each picture is no scale of the set."""
    if one.declared and _fits(one, one.declared):
        return one.declared
    return full_scale(one.kind)


def _fits(one: KindFound, scale: Scale) -> bool:
    return scale[0] <= one.low and one.high <= scale[1]


def _plausible_scale(one: KindFound) -> Scale | None:
    """The full scale of the bits that the values take; None where they would use little of it."""
    scale = _declared_scale(one)
    bits = re.fullmatch(r"(u?)int(\d+)", one.kind)
    if bits and scale == full_scale(one.kind):
        prefix = "" if one.low < 0 else "u"
        candidates = [f"{prefix}int{number}" for number in CONTAINED_BITS if number < int(bits[2])]
        fitting = [
            full_scale(kind) for kind in candidates if full_scale(kind)[0] <= one.low <= one.high <= full_scale(kind)[1]
        ]
        # A signed type without negative values has one bit less for them.
        positive = full_scale(one.kind) if one.low < 0 or bits[1] else (0.0, full_scale(one.kind)[1])
        scale = fitting[0] if fitting else positive
    flat = one.low == one.high
    spread = one.high - one.low >= PLAUSIBLE * (scale[1] - scale[0])
    return scale if _fits(one, scale) and (flat or (spread and is_plausible((one.low, one.high), scale))) else None


def _describe(one: KindFound, files: int) -> str:
    return (
        f"{one.files:,} of {count(files, 'file')} {plural(one.files, 'holds', 'hold')} {describe_kind(one.kind)} values, "
        f"{describe_scale((one.low, one.high))}"
    )


def _name_files(found: list[KindFound]) -> str:
    """Some files of each kind, one a line; nothing where no paths are known."""
    lines = []
    for one in found:
        lines += [f"{printable(path)} ({describe_kind(one.kind)})" for path in one.examples]
        more = one.files - len(one.examples)
        lines += [f"and {more:,} more ({describe_kind(one.kind)})"] if one.examples and more else []
    return "".join(f"\n  {line}" for line in lines)


def describe_depth(depth: Depth, found: list[KindFound], files: int) -> list[str]:
    """For each kind of values what was found, and how it is read.

    Args:
        depth: the rule.
        found, files: as in `choose_depth`.
    """
    eight = files - sum(one.files for one in found)
    lines = []
    for one in found:
        scale = depth.scales[one.kind]
        how = "by the range of the data set" if depth.rule == "range" else f"as {_name_scale(one.kind, scale)}"
        others = [f"range ({describe_scale((one.low, one.high))})"] if depth.rule == "full" and not eight else []
        full = _declared_scale(one)
        if scale != full and _fits(one, full):
            others.append(f"full ({describe_scale(full)})")
        choice = f"; set ingest.depth to {' or '.join(others)} for another reading" if others else ""
        lines.append(f"depth: {_describe(one, files)}: read {how} ({describe_scale(scale)} becomes 0 to 255){choice}")
        if one.dim:
            lines.append(
                f"depth: {one.dim:,} of these {plural(one.dim, 'has', 'have')} no value above a sixteenth of the highest: if "
                "these are on another scale, as 12 bits among 16, they come out dark; convert all to one"
            )
    if eight:
        lines.append(f"depth: {count(eight, 'file')} of 8 bits {plural(eight, 'stays as it is', 'stay as they are')}")
    return lines


def _name_scale(kind: str, scale: Scale) -> str:
    """`12-bit`, `fractions`, `declared`."""
    if scale == (0.0, 1.0):
        return "fractions"
    bits = math.log2(scale[1] - scale[0] + 1)
    return f"{bits:.0f}-bit" if kind != "float" and bits.is_integer() else "declared"
