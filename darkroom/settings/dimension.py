"""What may stand behind a setting in `tune.space`: an interval, or a list of choices."""

import math
from typing import Any

FORMS = "should be {low: …, high: …}, with `log: true` where ratios count, or {choices: […]}"


def wrong_dimension(entry: dict[str, Any]) -> str | None:
    """What is wrong with one entry of the space, in words; None when nothing is."""
    if set(entry) == {"choices"}:
        return _wrong_choices(entry["choices"])
    if not {"low", "high"} <= set(entry) <= {"low", "high", "log"}:
        return f"is {entry}, {FORMS}"
    low, high, log = entry["low"], entry["high"], entry.get("log", False)
    if not (_is_number(low) and _is_number(high) and isinstance(log, bool)):
        return f"is {entry}: low and high should be numbers, log true or false"
    if low >= high:
        return f"low ({low}) should be below high ({high})"
    if log and low <= 0:
        return f"low is {low}, and with log: true it should be above 0"
    return None


def _wrong_choices(choices: Any) -> str | None:
    if not isinstance(choices, list) or len(choices) < 2:
        return f"choices is {choices!r}, should be a list of two or more"
    if unfit := [choice for choice in choices if not isinstance(choice, bool | int | float | str)]:
        return f"choices holds {unfit[0]!r}, should hold numbers, texts, true or false"
    # True and 1 are equal in Python, and not as settings.
    if len({(type(choice), choice) for choice in choices}) < len(choices):
        return f"choices names a value twice: {choices}"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
