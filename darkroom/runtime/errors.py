"""The one exception that carries a message for the user."""


class DarkroomError(Exception):
    """A mistake in data, settings or environment that the user can fix.

    The message names the thing, the place and the remedy, with the numbers. Commands print it without a traceback and
    exit with 1; every other exception is a bug and keeps its traceback.
    """
