"""Listening and ending: the sockets, and what happens when somebody asks the service to stop."""

import errno
import os
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom.runtime.errors import DarkroomError
from serving.service import Service

# Connections that wait until they are accepted.
BACKLOG = 2048
# Descriptors of each socket: the event loop (libuv) takes one connection a turn from each. With one, `/healthz` waited up to
# three seconds behind two hundred connections that were opened at once.
DESCRIPTORS = 32
# Seconds for which a connection stays open between two requests: longer than balancers keep theirs (60 s), or they would send
# a request into one that is being closed.
KEEP_ALIVE = 75


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets at a port of every address that a host has, each `DESCRIPTORS` times.

    Args:
        host: a name or an address of this machine.
        port: 0 takes a free one.

    Raises:
        DarkroomError: when the port is taken or not allowed, or the host is none of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no name"
        raise DarkroomError(f"--host is {host}, which has no address ({reason}): give one of this machine") from None
    sockets: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(_bound(family, str(address[0]), port))
        except OSError as error:
            # A machine without IPv6 has a name for it all the same.
            if (
                family == socket.AF_INET6
                and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
                and len(found) > 1
            ):
                continue
            for each in sockets:
                each.close()
            raise DarkroomError(_reason(error, host, port)) from None
        port = sockets[0].getsockname()[1]
    return [each for bound in sockets for each in (bound, *(bound.dup() for _ in range(DESCRIPTORS - 1)))]


def _bound(family: int, address: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        bound.bind((address, port))
        # Now, so that a port which another program takes meanwhile is found before the model is loaded.
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken by another program: end that one, or take another port with --port"
    if error.errno == errno.EACCES:
        return f"port {port} is for the system alone, as all below 1024: take another with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host is {host}, which is no address of this machine: 127.0.0.1 is for it alone, 0.0.0.0 for its networks"
    return f"{host}:{port} can't be listened at: {error.strerror}"


class Server(uvicorn.Server):
    """Ends in the order that loses no request.

    SIGTERM: `/readyz` is 503 at once, and it goes on answering for some seconds, until balancers send nothing more; then it
    listens no more, answers what came in, and exits with 0. SIGINT, at a terminal, does the same without these seconds. A
    second signal ends it at once.

    Args:
        config: of uvicorn.
        service: that is to be ready no more.
        grace: seconds.
    """

    def __init__(self, config: uvicorn.Config, service: Service, grace: float) -> None:
        super().__init__(config)
        self._service, self._grace = service, grace
        self._ticks_left = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does; the status of the exit is not that of a signal."""
        if self._service.draining:
            # In the middle of whatever it does.
            os._exit(1)
        self._service.draining = True
        if sig == signal.SIGINT:
            with suppress(OSError):
                print("\nEnding, as soon as the last request is answered; Ctrl-C again ends at once.", file=sys.stderr)
        self._ticks_left = round(10 * self._grace) if sig == signal.SIGTERM else 0

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end."""
        if self._service.draining and not self.should_exit:
            self.should_exit = self._ticks_left <= 0
            self._ticks_left -= 1
        return await super().on_tick(counter)


def closing(app: ASGIApp, service: Service) -> ASGIApp:
    """The application, which while the service is ending asks each client to open its next connection elsewhere."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not service.draining:
            await app(scope, receive, send)
            return

        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, send_closing)

    return answer
