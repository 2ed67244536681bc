"""Variables of the environment, read in one place: one that is set but empty counts as not set.

Compose files, CI and `VAR= command` pass variables on empty, where nobody means an empty value.
"""

import os


def variable(name: str) -> str | None:
    """The value of a variable; None where it is not set, empty or blank."""
    value = os.environ.get(name, "")
    return value if value.strip() else None


def without(name: str) -> dict[str, str]:
    """The environment of this process but for one variable, for a process that must not inherit it."""
    return {key: value for key, value in os.environ.items() if key != name}


def forget_empty(prefix: str) -> None:
    """Take empty variables out of the environment of this process, for libraries that would count them as set.

    Args:
        prefix: with which their names begin.
    """
    for name in [name for name in os.environ if name.startswith(prefix) and variable(name) is None]:
        del os.environ[name]


def set_default(name: str, value: str) -> str:
    """Set a variable that has no value yet; returns the value that it has then."""
    os.environ[name] = variable(name) or value
    return os.environ[name]
