"""What is settled before the first page is served: address, token, certificate; and how much a connection may take."""

import asyncio
import ipaddress
import secrets
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from myquant.brokers.secrets import Keyring, chosen_token
from myquant.config.watching import DashboardSettings
from myquant.dashboard.guard import BODY_BYTES_MAX, HEAD_BYTES_MAX
from myquant.dashboard.throttle import network_of
from myquant.errors import ConfigError, MyquantError
from myquant.monitor.server import TOKEN_BYTES, is_wide

SERVICE: Final = "dashboard"  # in the name of its secret
NOT_ENCRYPTED: Final = (
    "others than this machine can reach the pages, and answers are not encrypted: set dashboard.tls_certificate and "
    "dashboard.tls_key, or put a server with https before it"
)
CONNECTIONS_MAX: Final = 256
ADDRESS_CONNECTIONS_MAX: Final = 64  # of one address that is not this machine's: nobody keeps all others out by himself
HEAD_S: Final = 10.0  # a request's line and fields come within it
STUCK_S: Final = 30.0  # an answer of which nothing is taken for so long is given up
BACKLOG: Final = 128
KEEP_ALIVE_S: Final = 15
CLOSING_S: Final = 1  # what is asked for when it ends is answered within it, or not at all


@dataclass(frozen=True)
class Opening:
    """How the pages are served. `token` is for programs; `warnings` are for the log and the terminal."""

    settings: DashboardSettings
    token: str = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def is_https(self) -> bool:
        """Whether it serves https itself."""
        return bool(self.settings.tls_certificate)


def open_for(settings: DashboardSettings, environ: Mapping[str, str], keyring: Keyring | None = None) -> Opening:
    """Return how pages are served with these settings.

    Raises ConfigError for an address that is none, one that others can reach without a password or a token of one's own, and a
    certificate that can't be used. A viewer's password alone is enough: who acts comes by a link then, made on the machine.
    """
    host = settings.host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ConfigError(f"dashboard.host = {host}: must be an IP address, such as 127.0.0.1") from None
    chosen = chosen_token(SERVICE, environ, keyring)
    if is_wide(host) and not (settings.password_hash or settings.viewer_password_hash or chosen):
        raise ConfigError(
            f"dashboard.host = {host}: others than this machine can reach it, so it needs a password (set dashboard.password_hash to"
            " what `myquant dashboard password` prints) or a token of your own (MYQUANT_DASHBOARD_TOKEN)"
        )
    _check_certificate(settings)
    warnings = (NOT_ENCRYPTED,) if is_wide(host) and not settings.tls_certificate else ()
    return Opening(settings, chosen or secrets.token_urlsafe(TOKEN_BYTES), warnings)


def listen(settings: DashboardSettings) -> socket.socket:
    """Return a socket that listens where the settings say. Raises MyquantError where that can't be."""
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise MyquantError(
            f"dashboard.host = {host}, dashboard.port = {port}: can't listen there ({error.strerror or error}): choose another port, or 0"
        ) from error
    listening.setblocking(False)
    return listening


def server_config(app: Any, opening: Opening) -> uvicorn.Config:
    """Return how uvicorn serves a guarded app: bounded, silent about itself, and without a log of addresses with keys in them."""
    settings = opening.settings
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="websockets-sansio",
        ws_max_size=BODY_BYTES_MAX,
        lifespan="on",
        log_config=None,
        access_log=False,
        log_level="error",  # what strangers send that is no request fills no log
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=CLOSING_S,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
    )


class BoundedHttp(H11Protocol):
    """One connection, which ends where a request's head does not come in time or an answer is not taken; too many are not taken."""

    _looking: asyncio.TimerHandle | None = None
    _waits_since_s: float | None = None  # for a head
    _stuck_since_s: float | None = None
    _unsent_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or end it where there are too many."""
        super().connection_made(transport)  # type: ignore[arg-type]
        clients = [getattr(each, "client", None) for each in self.connections if each is not self]
        others = [str(client[0]) for client in clients if client]
        if len(self.connections) > CONNECTIONS_MAX or (self.client and is_crowded(str(self.client[0]), others)):
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


def is_crowded(address: str, others: Sequence[str]) -> bool:
    """Return whether an address has as many connections as one may have, by those of `others` that are there.

    Of this machine there is no such bound: a server that stands before the pages may bring everybody from there.
    """
    with suppress(ValueError):
        if ipaddress.ip_address(address).is_loopback:
            return False
    network = network_of(address)
    return sum(network_of(each) == network for each in others) >= ADDRESS_CONNECTIONS_MAX


def _check_certificate(settings: DashboardSettings) -> None:
    """Raise ConfigError where certificate and key can't be used."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if not certificate and not key:
        return
    if not (certificate and key):
        given, missing = ("tls_certificate", "tls_key") if certificate else ("tls_key", "tls_certificate")
        raise ConfigError(f"dashboard.{given}: is set and dashboard.{missing} is not: https needs both, http none")
    for name, path in (("tls_certificate", certificate), ("tls_key", key)):
        try:
            Path(path).read_bytes()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigError(f"dashboard.{name} = {path}: can't be read ({why}): name a PEM file") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        is_mismatched = "MISMATCH" in str(error)
        what = (
            "the key is not that of the certificate"
            if is_mismatched
            else "not a certificate and a key in PEM, without a password"
        )
        raise ConfigError(
            f"dashboard.tls_certificate = {certificate}, dashboard.tls_key = {key}: {what} ({error.reason or error}): name the right files"
        ) from None
