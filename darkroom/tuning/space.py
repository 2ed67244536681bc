"""The search space: `tune.space`, checked against the settings that `train` allows before anything is tried."""

import difflib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.networks import own_settings
from darkroom.settings.train import Train
from darkroom.training.choices import LARGEST_BATCH, LEAST_STEPS, SMALLEST_BATCH, choose_optimizer, choose_rate

Value = bool | int | float | str

NOT_TUNED = {
    "epochs": "trials of different lengths can't be compared epoch by epoch; set tune.epochs",
    "seed": "it would choose by luck",
    "workers": "it does not change the result",
    "processes": "it is a matter of the machine",
    "budget": "it is for the search of train.network=auto",
}
# Settings that shape a network, and that not every network reads.
SHAPING = ("filters", "depth", "dropout", "pooling")
# Significant digits of a sampled number: so many go into params.yaml, and so many are trained with.
DIGITS = 3


@dataclass(frozen=True)
class Range:
    """An interval, its bounds included; `log` compares by ratio, `whole` samples whole numbers."""

    low: float
    high: float
    log: bool
    whole: bool

    def bounds(self) -> tuple[Value, ...]:
        return self.low, self.high


@dataclass(frozen=True)
class Choices:
    """A list of values, without order."""

    values: tuple[Value, ...]

    def bounds(self) -> tuple[Value, ...]:
        return self.values


Space = dict[str, Range | Choices]


def read_space(entries: Mapping[str, Mapping[str, Any]], train: Train) -> tuple[Space, list[str]]:
    """The space that can be searched around some settings.

    Args:
        entries: `tune.space`, each entry of a form that `dimension_mistake` accepts.
        train: the settings that are not searched, with the epochs of a trial.

    Returns:
        The space in the order of its entries, and those left out since `train.network` does not read them.

    Raises:
        DarkroomError: with every setting that is unknown, can't be tuned, or has a value that `train` does not allow, alone or
            together with another of the space.
    """
    read = {name for network in _networks(entries, train) for name in own_settings(network)}
    unread = [name for name in entries if name in SHAPING and name not in read]
    mistakes = [mistake for name in entries if (mistake := _not_tunable(name))]
    space: Space = {}
    for name, entry in entries.items():
        if name not in unread and not _not_tunable(name):
            space[name] = _dimension(name, entry)
    alone = {name: [value for value in space[name].bounds() if not _why_not(train, {name: value})] for name in space}
    for name, dimension in space.items():
        mistakes += [
            f"{name}: {value!r} is not possible: {_why_not(train, {name: value})}"
            for value in dimension.bounds()
            if value not in alone[name]
        ]
    # The rules of `train` are about one setting or about two: pairs find all that could meet.
    for one, other in itertools.combinations(space, 2):
        mistakes += _impossible_pairs(train, (one, alone[one]), (other, alone[other]))
    if not space and not mistakes:
        mistakes = [f"train.network={train.network} reads none of {', '.join(unread)}"]
    if mistakes:
        raise DarkroomError("nothing is tried; in tune.space:\n" + "\n".join(f"  - {line}" for line in mistakes))
    return space, unread


def fit_batch_sizes(entries: dict[str, dict[str, Any]], images: int) -> tuple[dict[str, dict[str, Any]], str | None]:
    """Leave out batch sizes with fewer steps an epoch than `auto` would take, as the shipped space has them for little data.

    Args:
        entries: of a space that `read_space` accepts.
        images: training images.

    Returns:
        The entries to search, and what to say about those left out.

    Raises:
        DarkroomError: when nothing else is in the space and no size fits.
    """
    if "batch_size" not in entries:
        return entries, None
    largest, entry = max(images // LEAST_STEPS, SMALLEST_BATCH), dict(entries["batch_size"])
    sizes = entry["choices"] if "choices" in entry else [entry["low"], entry["high"]]
    too_large = [size for size in sizes if size != "auto" and size > largest]
    if not too_large:
        return entries, None
    fitting = {name: other for name, other in entries.items() if name != "batch_size"}
    why = f"{images:,} training images make fewer than {LEAST_STEPS} steps an epoch of more than {largest:,}"
    if len(too_large) == len(sizes):
        if not fitting:
            raise DarkroomError(f"nothing is tried; in tune.space: batch_size: {why}: add smaller ones")
        return fitting, f"not in the space: batch_size, since {why}; it stays train.batch_size"
    if "choices" in entry:
        entry["choices"] = [size for size in sizes if size not in too_large]
        said = f"batch_size {', '.join(map(str, too_large))}"
    else:
        entry["high"], said = largest, f"batch_size above {largest:,}"
    return {name: entry if name == "batch_size" else other for name, other in entries.items()}, (
        f"not in the space: {said}, since {why}"
    )


def _networks(entries: Mapping[str, Mapping[str, Any]], train: Train) -> set[str]:
    return set(entries.get("network", {}).get("choices", [train.network]))


def _not_tunable(name: str) -> str | None:
    if name in NOT_TUNED:
        return f"{name}: can't be tuned: {NOT_TUNED[name]}"
    if name in Train.model_fields:
        return None
    near = difflib.get_close_matches(name, Train.model_fields, n=1)
    return f"{name}: train has no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _dimension(name: str, entry: Mapping[str, Any]) -> Range | Choices:
    if "choices" in entry:
        return Choices(tuple(entry["choices"]))
    schema = Train.model_json_schema()["properties"][name]
    kinds = {member.get("type") for member in schema.get("anyOf", [schema])}
    return Range(entry["low"], entry["high"], entry.get("log", False), "integer" in kinds and "number" not in kinds)


def _why_not(train: Train, values: Mapping[str, Value]) -> str | None:
    """Why `train` does not take these values, or None when it does."""
    try:
        Train.model_validate({**train.model_dump(), **values})
    except ValidationError as error:
        return "; ".join(
            str(detail["ctx"]["error"]) if detail["type"] == "value_error" else detail["msg"].removeprefix("Input ")
            for detail in error.errors()
        )
    return None


def _impossible_pairs(train: Train, one: tuple[str, list[Value]], other: tuple[str, list[Value]]) -> list[str]:
    for first, second in itertools.product(one[1], other[1]):
        if reason := _why_not(train, {one[0]: first, other[0]: second}):
            return [f"{one[0]}={first} can be combined with {other[0]}={second}: {reason}"]
    return []


def round_sampled(space: Space, sampled: Mapping[str, Any]) -> dict[str, Value]:
    """Sampled values as they are trained with and written: numbers with three digits, inside their interval."""
    rounded: dict[str, Value] = {}
    for name, dimension in space.items():
        value = sampled[name]
        if isinstance(dimension, Range) and not dimension.whole:
            value = min(max(float(f"{value:.{DIGITS}g}"), dimension.low), dimension.high)
        rounded[name] = value
    return rounded


def usual_rate_outside(space: Space, train: Train) -> str | None:
    """A warning where `learning_rate: auto` would choose a rate that the space leaves out; None otherwise.

    Says nothing where the network or the optimizer is searched too: then no single rate is the usual one.
    """
    interval = space.get("learning_rate")
    if not isinstance(interval, Range) or {"network", "optimizer"} & set(space):
        return None
    pretrained = train.weights != "none"
    optimizer = choose_optimizer(train.optimizer, train.network, pretrained).value
    head_alone = train.freeze == "backbone"
    usual = choose_rate("auto", optimizer, train.network, pretrained, head_alone, LARGEST_BATCH)
    if interval.low <= usual.value <= interval.high:
        return None
    return (
        f"tune.space.learning_rate goes from {interval.low:g} to {interval.high:g}, and the usual rate is {usual.value:g} "
        f"({usual.reason}): choose an interval around it"
    )
