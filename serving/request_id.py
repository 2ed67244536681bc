"""What names the request that is being answered, and the images that belong together: for answers, logs and traces."""

import random
import re
from contextvars import ContextVar

# Empty outside a request, as in tests that ask the service itself.
request_id: ContextVar[str] = ContextVar("request_id", default="")

# Of the images that the client says belong together; None where it says nothing.
session: ContextVar[str | None] = ContextVar("session", default=None)

HEADER, SESSION_HEADER = b"x-request-id", b"x-session-id"
# What ids of proxies and traces look like; another text could command whoever reads the log.
PLAUSIBLE = re.compile(rb"[A-Za-z0-9._:/=+-]{1,128}")


def accept_request_id(given: bytes | None) -> str:
    """The id that a client or a proxy gave, where it is plausible; a new one of 32 hex digits otherwise.

    From Python's own generator: a call of the system's lets go of the interpreter, and a busy service waits to get it back.
    """
    return given.decode() if given and PLAUSIBLE.fullmatch(given) else f"{random.getrandbits(128):032x}"


def accept_session(given: bytes | None) -> str | None:
    """The session that a client gave, where it is plausible as an id."""
    return given.decode() if given and PLAUSIBLE.fullmatch(given) else None
