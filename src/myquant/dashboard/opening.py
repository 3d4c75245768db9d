"""What is settled before the first page is served: address, token, certificate."""

import ipaddress
import secrets
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvicorn

from myquant.brokers.secrets import Keyring, chosen_token
from myquant.config.watching import DashboardSettings
from myquant.dashboard.connections import CONNECTIONS_MAX, KEEP_ALIVE_S, BoundedHttp
from myquant.dashboard.guard import BODY_BYTES_MAX, HEAD_BYTES_MAX
from myquant.errors import ConfigError, MyquantError
from myquant.monitor.server import TOKEN_BYTES, is_wide

SERVICE: Final = "dashboard"  # in the name of its secret
NOT_ENCRYPTED: Final = (
    "others than this machine can reach the pages, and answers are not encrypted: set dashboard.tls_certificate and "
    "dashboard.tls_key, or put a server with https before it"
)
BACKLOG: Final = 128
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


def server_config(app: Any) -> uvicorn.Config:
    """Return how uvicorn serves a guarded app: bounded, silent about itself, and without a log of addresses with keys in them.

    Of https it knows nothing: that is `serving.Server`'s, with `tls_of`.
    """
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
    )


def tls_of(settings: DashboardSettings) -> ssl.SSLContext | None:
    """Return certificate and key, None where there is no https. Raises OSError where they can't be read any more."""
    if not settings.tls_certificate:
        return None
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(settings.tls_certificate, settings.tls_key, password=lambda: b"")
    return tls


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
