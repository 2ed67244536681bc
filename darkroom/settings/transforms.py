"""Transforms of Albumentations by name, made and so checked before a training starts."""

import difflib
import inspect
import math
import warnings
from collections.abc import Sequence
from typing import Any

from darkroom.runtime.errors import DarkroomError


def transform_mistakes(wanted: Sequence[dict[str, Any]]) -> list[str]:
    """What is wrong with `train.albumentations`; Albumentations, whose import takes 2 s, is for those who use it."""
    mistakes = []
    for place, each in enumerate(wanted):
        try:
            make_transform(f"number {place + 1}", each)
        except DarkroomError as error:
            mistakes.append(str(error))
    return mistakes


def make_transform(where: str, wanted: dict[str, Any]) -> Any:
    """A transform with its arguments.

    Args:
        where: for messages.
        wanted: an entry of `train.albumentations`: a name and arguments.

    Raises:
        DarkroomError: when there is no such transform, or when it does not take these arguments.
    """
    # Its import asks the network for newer versions, but for what darkroom/__init__.py sets.
    import albumentations  # type: ignore[import-untyped]

    arguments = dict(wanted)
    name = arguments.pop("name", None)
    kinds = {
        kind: found
        for kind, found in vars(albumentations).items()
        if inspect.isclass(found) and issubclass(found, albumentations.BasicTransform) and not inspect.isabstract(found)
    }
    if not isinstance(name, str) or name not in kinds:
        close = difflib.get_close_matches(str(name), kinds, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise DarkroomError(
            f"{where}: Albumentations {albumentations.__version__} has no transform named {name!r}{hint}"
        )
    known = [argument for argument in inspect.signature(kinds[name].__init__).parameters if argument != "self"]
    for argument, value in arguments.items():
        if argument not in known:
            raise DarkroomError(f"{where}: {name} has no argument {argument!r}; it has {', '.join(known)}")
        if not _finite(value):
            raise DarkroomError(f"{where}: {name} is given {argument}={value}: write finite numbers")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return kinds[name](**arguments)
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, UserWarning) as error:
        raise DarkroomError(f"{where}: {name} refuses its arguments: {' '.join(str(error).split())}") from None


def _finite(value: Any) -> bool:
    """Whether a value has no infinity or NaN in it, which Albumentations would take."""
    if isinstance(value, float):
        return math.isfinite(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_finite(each) for each in inner)
