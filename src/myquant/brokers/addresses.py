"""Which addresses a secret may be sent to: TLS to anywhere, in clear to this machine alone."""

import ipaddress
import ssl
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from myquant.errors import ConfigError

SECURE: Final = {"https", "wss"}
CLEAR: Final = {"http", "ws"}


def checked_url(url: str, *, schemes: tuple[str, str]) -> str:
    """Return `url` without a slash at its end; `schemes`: with TLS, and without, which only a loopback address may have.

    Raises ConfigError for anything else, and for a URL that carries a user, a password, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{url!r} is no address: write {schemes[0]}://host[:port][/path]") from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError("an address must not carry a user, a password, a query or a fragment")
    if parts.scheme not in schemes or not host:
        raise ConfigError(f"{url!r}: write {schemes[0]}://host[:port][/path]")
    if parts.scheme in CLEAR and not is_loopback(host):
        raise ConfigError(f"{url!r}: only this machine may be reached without TLS: write {schemes[0]}://")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def verifying(context: ssl.SSLContext | None) -> ssl.SSLContext:
    """Return a TLS context that verifies certificate and name: the one given, or the system's authorities.

    Raises ConfigError for one that does not verify.
    """
    if context is None:
        return _of_the_system()
    if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
        raise ConfigError("a TLS context must verify the certificate and the name of the host")
    return context


@cache
def _of_the_system() -> ssl.SSLContext:
    """Return the one for all connections: it takes 25 ms to read the system's authorities."""
    return ssl.create_default_context()
