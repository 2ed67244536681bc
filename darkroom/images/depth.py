"""From the values of a file that holds other than 8 bits a value to 8 bits, by the rule of a data set."""

import numpy as np

from darkroom.images.pillow_decoder import Decoded, UnreadableImage, upright
from darkroom.images.samples import Samples
from darkroom.model.depth import Depth, Scale, describe_kind, describe_scale, full_scale
from darkroom.runtime.arrays import UInt8s

# Values in float32 at a time; a whole large picture of them would take gigabytes.
BLOCK = 1 << 20
PLAUSIBLE = 1 / 16


def decode_samples(samples: Samples, depth: Depth | None) -> Decoded:
    """An upright picture of 8 bits; transparency is laid over white.

    Args:
        samples: of the file.
        depth: the rule of the data set; None where all its images have 8 bits.

    Raises:
        UnreadableImage: when the rule has no place for such values.
    """
    scale = scale_of(samples, depth)
    height, width = samples.values.shape[:2]
    pixels = np.empty(samples.values.shape, np.uint8)
    rows = max(1, BLOCK // (width * samples.values.shape[2]))
    for start in range(0, height, rows):
        pixels[start : start + rows] = _to_bytes(samples, slice(start, start + rows), scale)
    return upright(pixels, width, height, samples.orientation, samples.mode, samples.format, samples.frames)


def _to_bytes(samples: Samples, rows: slice, scale: Scale) -> UInt8s:
    low, high = scale
    # Floats of 64 bits, since those of 32 hold no 32-bit integer.
    values = np.clip((samples.values[rows].astype(np.float64) - low) / (high - low), 0, 1)
    if samples.inverted:
        values = 1 - values
    if samples.alpha is not None:
        full = full_scale(samples.kind)[1]
        # Where values of 12 bits are in 16, so is alpha.
        alpha = np.clip(samples.alpha[rows].astype(np.float64) / (full if samples.alpha.max() > high else high), 0, 1)
        values = (values if samples.premultiplied else values * alpha) + 1 - alpha
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)


def scale_of(samples: Samples, depth: Depth | None) -> Scale:
    """The values of a file that become black and white.

    Kinds of values that the data set does not hold have their full scale, where that is plausible.

    Raises:
        UnreadableImage: when the values have no place on the scale of the data set.
    """
    low, high = samples.range
    found = f"its {describe_kind(samples.kind)} values are {describe_scale((low, high))}"
    if depth and samples.kind in depth.scales:
        scale = depth.scales[samples.kind]
        if depth.rule == "full" and (low < scale[0] or high > scale[1]):
            raise UnreadableImage(f"{found}, and those of the data set are on a scale of {describe_scale(scale)}")
        return scale
    if depth and depth.rule == "range":
        raise UnreadableImage(f"{found}, and the data set has {_describe(depth)}: they have no scale in common")
    scale = samples.declared if samples.declared and high <= samples.declared[1] else full_scale(samples.kind)
    if low < scale[0] or high > scale[1] or not is_plausible((low, high), scale):
        raise UnreadableImage(
            f"{found}, which are not plausible on the full scale of {describe_scale(scale)}, and the data set has "
            f"{_describe(depth)}: convert it to 8 bits"
        )
    return scale


def is_plausible(found: Scale, scale: Scale) -> bool:
    """Whether values use enough of a full scale to be on it: a sixteenth, or half where it has negative values.

    A file that uses less holds values of fewer bits. Negative values are often a scale of their own, such as that of a
    tomograph: -1,024 to 3,071 in 16 bits.
    """
    used = found[1] if scale[0] == 0 else found[1] - found[0]
    return found == (0, 0) or used >= (PLAUSIBLE if scale[0] == 0 else 1 / 2) * (scale[1] - scale[0])


def require_place_for_bytes(depth: Depth | None) -> None:
    """Refuse a file of 8 bits where the data set has a range of other values, with `UnreadableImage`."""
    if depth and depth.rule == "range":
        raise UnreadableImage(f"it has 8 bits, and the data set has {_describe(depth)}: they have no scale in common")


def _describe(depth: Depth | None) -> str:
    if depth is None:
        return "8-bit images alone"
    return ", ".join(
        f"{describe_kind(kind)} values of {describe_scale(scale)}" for kind, scale in sorted(depth.scales.items())
    )
