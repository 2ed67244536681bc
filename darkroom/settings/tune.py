"""Settings of `make tune`, and the form of an entry of the search space."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from darkroom.settings.base import MOST_EPOCHS, Section, shown

FORMS = "should be {low: …, high: …}, with `log: true` where ratios count, or {choices: […]}"


class Tune(Section):
    """What is varied, how often, and for how long."""

    trials: Annotated[int, Field(ge=2, le=100_000)] = 20
    """How many combinations of settings to try, those tried before included; the baseline comes first and does
    not count."""
    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] | None = None
    """Epochs of a trial. Empty: `train.epochs`, so that what is best there is best in the line, too."""
    timeout: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """Minutes after which no further trial begins. Empty: none."""
    pruner: Literal["none", "median", "hyperband"] = "median"
    """What ends a bad trial early, by its validation losses: `median` where it is behind half of the others at the same
    epoch, `hyperband` in rounds that each let a third go on."""
    space: dict[str, dict[str, Any]] = {
        "learning_rate": {"low": 0.01, "high": 0.5, "log": True},
        "batch_size": {"choices": [64, 128, 256]},
        "filters": {"choices": [32, 64]},
        "dropout": {"low": 0.0, "high": 0.5},
        "weight_decay": {"low": 0.0001, "high": 0.2, "log": True},
        "shift": {"low": 0.0, "high": 0.15},
        "rotate": {"low": 0.0, "high": 15.0},
        "zoom": {"low": 0.0, "high": 0.2},
        "cutout": {"low": 0.0, "high": 0.4},
        "label_smoothing": {"low": 0.0, "high": 0.2},
    }
    """What to vary: settings of `train`, each `{low: 0.01, high: 0.5, log: true}`, where `log` samples on a log scale, or
    `{choices: [adam, sgd]}`."""

    @field_validator("space")
    @classmethod
    def _ranges_or_choices(cls, space: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if wrong := [f"{name}: {problem}" for name, entry in space.items() if (problem := dimension_mistake(entry))]:
            raise ValueError("; ".join(wrong))
        if not space:
            raise ValueError(
                "is empty: add a setting of train, as in `learning_rate: {low: 0.01, high: 0.5, log: true}`"
            )
        return space


def dimension_mistake(entry: dict[str, Any]) -> str | None:
    """What is wrong with one entry of the space, in words; None when nothing is."""
    if set(entry) == {"choices"}:
        return _choices_mistake(entry["choices"])
    if not {"low", "high"} <= set(entry) <= {"low", "high", "log"}:
        return f"is {shown(entry)}, {FORMS}"
    low, high, log = entry["low"], entry["high"], entry.get("log", False)
    if not (_is_number(low) and _is_number(high) and isinstance(log, bool)):
        return f"is {shown(entry)}: low and high should be numbers, log true or false"
    if low >= high:
        return f"low ({low}) should be below high ({high})"
    if log and low <= 0:
        return f"low is {low}, and with log: true it should be above 0"
    return None


def _choices_mistake(choices: Any) -> str | None:
    if not isinstance(choices, list) or len(choices) < 2:
        return f"choices is {shown(choices)}, should be a list of two or more"
    if unfit := [choice for choice in choices if not isinstance(choice, bool | int | float | str)]:
        return f"choices has {shown(unfit[0])} in it, should be numbers, texts, true or false"
    if infinite := [choice for choice in choices if isinstance(choice, float) and not math.isfinite(choice)]:
        return f"choices has {infinite[0]} in it, should be finite"
    # True and 1 are equal in Python, and not as settings.
    if len({(type(choice), choice) for choice in choices}) < len(choices):
        return f"choices has a value twice: {shown(choices)}"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
