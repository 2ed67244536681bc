"""Pillow's names for how a file keeps its pixels."""


def is_grey(mode: str) -> bool:
    """Whether `darkroom.images.decode` gives a file of this mode one channel; all others come out in colour."""
    return mode in ("1", "L", "LA", "La", "I", "F") or mode.startswith("I;16")
