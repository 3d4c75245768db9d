"""Channels: names in the settings, and behind each an address that is a secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from myquant.brokers.secrets import Keyring, read_secrets, variable
from myquant.config.watching import AlertSettings
from myquant.errors import ConfigError

SERVICE: Final = "alert"  # MYQUANT_ALERT_<NAME>, or myquant-alert/<name> in the keyring
PAGE: Final = 'docs/monitoring.md, "Channels", has examples'
PART_MIN: Final = 4  # a shorter part of an address would be found everywhere
KEY_MIN: Final = 8  # likewise one that is not known to be a password
WORD_MIN: Final = 16  # likewise one without a digit

# Of an address' query: what is no secret, and is of use in what a channel answers.
OPEN: Final = frozenset(
    ("to", "from", "cc", "bcc", "name", "smtp", "mode", "format", "overflow", "method", "verify", "redirect", "port")
)


@dataclass(frozen=True)
class Channel:
    """A channel. `address`: where apprise delivers to, never shown; `problem`: why there is none, "" where there is."""

    name: str
    address: str = field(repr=False)
    problem: str = ""

    @property
    def where(self) -> str:
        """The variable that holds its address."""
        return variable(SERVICE, self.name)


def channel_names(settings: AlertSettings) -> tuple[str, ...]:
    """Return the names of all channels of the settings, the most urgent first."""
    return tuple(dict.fromkeys((*settings.critical, *settings.warning, *settings.info)))


def read_channels(
    names: Sequence[str], environ: Mapping[str, str], keyring: Keyring | None = None
) -> tuple[Channel, ...]:
    """Return the channels of these names. One without an address has a problem, which no other suffers from."""
    return tuple(_channel(name, environ, keyring) for name in names)


def _channel(name: str, environ: Mapping[str, str], keyring: Keyring | None) -> Channel:
    try:
        return Channel(name, read_secrets(SERVICE, [name], environ, keyring)[name])
    except ConfigError as error:
        return Channel(name, "", f"channel {name}: {str(error).removeprefix(f'{SERVICE}: ')}")


def unusable(channel: Channel, why: str) -> str:
    """Return what to tell of an address that apprise can't use: its variable, never its value."""
    reason = f" ({why})" if why else ""
    return f"channel {channel.name}: the address in {channel.where} can't be used{reason}: {PAGE}"


def secret_parts(address: str) -> tuple[str, ...]:
    """Return what must not be seen of an address: the whole, its password, and what looks like a key.

    A user's name, a host with a dot and a recipient are no secrets.
    """
    if not address:
        return ()
    _, _, rest = address.partition("://")
    try:
        parts = urlsplit(f"//{rest}")
    except ValueError:  # a bracket where none may be
        return (address, rest)
    sure = {address, rest, parts.path.strip("/")}
    account, _, host = parts.netloc.rpartition("@")
    user, _, password = account.partition(":")
    sure |= {password, *(value for name, value in parse_qsl(parts.query) if name.lower() not in OPEN)}
    perhaps = {user, *parts.path.split("/"), *(host.split(":") if "." not in host else ())}
    if "." not in host:
        sure.add(host if _looks_secret(host) else "")
    found = {part for part in sure if len(part) >= PART_MIN} | {part for part in perhaps if _looks_secret(part)}
    return tuple(sorted(found | {unquote(part) for part in found}, key=len, reverse=True))


def _looks_secret(part: str) -> bool:
    return len(part) >= WORD_MIN or (len(part) >= KEY_MIN and any(map(str.isdigit, part)))
