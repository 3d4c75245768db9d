"""How much a connection may take: how many there are, of one address too, and how long each waits, from before its TLS handshake on."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from myquant.dashboard.throttle import network_of

CONNECTIONS_MAX: Final = 256
ADDRESS_CONNECTIONS_MAX: Final = 64  # of one address that is not this machine's: nobody keeps all others out by himself
HEAD_S: Final = 10.0  # a TLS handshake is done within it, and then a request's line and fields come within it
STUCK_S: Final = 30.0  # an answer of which nothing is taken for so long is given up
KEEP_ALIVE_S: Final = 15
AGAIN_S: Final = 0.1  # from a connection that could not be taken to the next


class BoundedHttp(H11Protocol):
    """One connection, which ends where a request's head does not come in time or an answer is not taken; too many are not taken."""

    _looking: asyncio.TimerHandle | None = None
    _waits_since_s: float | None = None  # for a head
    _stuck_since_s: float | None = None
    _unsent_bytes = 0
    shaking: "Shaking | None" = None  # what it was before, by https

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or end it where there are too many."""
        self.connections.discard(self.shaking)
        super().connection_made(transport)  # type: ignore[arg-type]
        if are_too_many(self.connections, self):
            self.transport.abort()
            return
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._stop_looking()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over: a socket has pings of its own."""
        self._stop_looking()
        super().handle_websocket_upgrade(event)

    def _look(self) -> None:
        now_s = self.loop.time()
        is_at_work = self.cycle is not None and not self.cycle.response_complete
        self._waits_since_s = None if is_at_work else self._waits_since_s or now_s
        unsent = self.transport.get_write_buffer_size()
        is_stuck = unsent > 0 and unsent >= self._unsent_bytes
        self._stuck_since_s = (self._stuck_since_s or now_s) if is_stuck else None
        self._unsent_bytes = unsent
        waits_s = now_s - (self._waits_since_s or now_s)
        if (
            waits_s >= HEAD_S + KEEP_ALIVE_S
            or (waits_s >= HEAD_S and self.cycle is None)
            or now_s - (self._stuck_since_s or now_s) >= STUCK_S
        ):
            self.transport.abort()
        else:
            self._looking = self.loop.call_later(1.0, self._look)

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None


class Shaking:
    """A connection whose TLS handshake is under way; it counts as any other. `client`: address and port of who is there."""

    def __init__(self, client: tuple[str, int]) -> None:
        self.client = client
        self.task: asyncio.Task[None] | None = None

    def shutdown(self) -> None:
        """End it: the server ends."""
        if self.task is not None:
            self.task.cancel()


class TlsDoor:
    """Takes connections by https: each is counted before its handshake, which uvicorn's own way does not, and has `HEAD_S` for it.

    Args:
        tls: certificate and key.
        connections: all that there are, of uvicorn's server.
        make: makes the protocol of a connection.
    """

    def __init__(self, tls: ssl.SSLContext, connections: set[Any], make: Callable[[], BoundedHttp]) -> None:
        self._tls, self._connections, self._make = tls, connections, make

    async def accept(self, listening: socket.socket) -> None:
        """Take connections until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError:  # gone before it was taken, or no descriptor is left: others may end
                await asyncio.sleep(AGAIN_S)
                continue
            accepted.setblocking(False)
            shaking = Shaking((str(address[0]), int(address[1])))
            self._connections.add(shaking)
            if are_too_many(self._connections, shaking):
                self._connections.discard(shaking)
                accepted.close()
            else:
                shaking.task = loop.create_task(self._shake(accepted, shaking))
                shaking.task.add_done_callback(partial(self._forget, shaking))

    async def _shake(self, accepted: socket.socket, shaking: Shaking) -> None:
        """Shake hands; the protocol goes on."""

        def make() -> BoundedHttp:
            http = self._make()
            http.shaking = shaking
            return http

        with suppress(OSError):  # no TLS, another's, too slow, or gone
            await asyncio.get_running_loop().connect_accepted_socket(
                make, accepted, ssl=self._tls, ssl_handshake_timeout=HEAD_S
            )

    def _forget(self, shaking: Shaking, _task: asyncio.Task[None]) -> None:
        self._connections.discard(shaking)


def are_too_many(connections: Collection[Any], own: Any) -> bool:
    """Return whether one of these connections is one too many, be it of its address."""
    clients = [getattr(each, "client", None) for each in connections if each is not own]
    others = [str(client[0]) for client in clients if client]
    return len(connections) > CONNECTIONS_MAX or (own.client is not None and is_crowded(str(own.client[0]), others))


def is_crowded(address: str, others: Sequence[str]) -> bool:
    """Return whether an address has as many connections as one may have, by those of `others` that are there.

    Of this machine there is no such bound: a server that stands before the pages may bring everybody from there.
    """
    with suppress(ValueError):
        if ipaddress.ip_address(address).is_loopback:
            return False
    network = network_of(address)
    return sum(network_of(each) == network for each in others) >= ADDRESS_CONNECTIONS_MAX
