"""The id of the request that is being answered: for answers, log lines, traces and the prediction log."""

import random
import re
from contextvars import ContextVar

# Empty outside a request, as in tests that ask the service itself.
request_id: ContextVar[str] = ContextVar("request_id", default="")

HEADER = b"x-request-id"
# What ids of proxies and traces look like; another text could command whoever reads the log.
PLAUSIBLE = re.compile(rb"[A-Za-z0-9._:/=+-]{1,128}")


def accept_request_id(given: bytes | None) -> str:
    """The id that a client or a proxy gave, where it is plausible; a new one of 32 hex digits otherwise.

    From Python's own generator: a call of the system's lets go of the interpreter, and a busy service waits to get it back.
    """
    return given.decode() if given and PLAUSIBLE.fullmatch(given) else f"{random.getrandbits(128):032x}"
