"""Secrets: where they are read from, and how they are kept out of every text that leaves the program."""

import base64
import json
import logging
import math
import re
import sys
import traceback
from collections import deque
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote, quote_plus

from myquant.errors import ConfigError

HIDDEN: Final = "***"
TOKEN_MIN: Final = 16  # characters, of one that a person chose
ADDED_MAX: Final = 32  # so many tokens are looked for: those of the last ten logins
DEPTH_MAX: Final = 8
LINE_MAX: Final = 300
READ_MAX: Final = 2**16
SHORT: Final = 8  # a number shorter than this, such as a PIN, is found only where no digit stands beside it
PIECE_MIN: Final = 10  # a piece of base64 shorter than this would be found everywhere

_NO_DIGIT_BEFORE: Final = r"(?:(?<!\d)|(?<=%[\dA-Fa-f]{2})|(?<=\\x[\dA-Fa-f]{2})|(?<=\\u[\dA-Fa-f]{4}))"
_BEARER: Final = re.compile(r"[Bb]earer(?: +|%20|\+)" + re.escape(HIDDEN))


class Keyring(Protocol):
    """What is asked of the package keyring."""

    def why_not(self) -> str:
        """Return why nothing can be had from it, in brackets after a blank; empty: it can be reached."""

    def get_password(self, service: str, name: str) -> str | None:
        """Return a secret, or None."""


class SystemKeyring:
    """The keyring of the desktop or system; one that can't be reached holds nothing."""

    def __init__(self) -> None:
        self._why_not = ""

    def why_not(self) -> str:
        """Return why it can't be reached."""
        return self._why_not

    def get_password(self, service: str, name: str) -> str | None:
        """Return a secret, or None."""
        import keyring  # noqa: PLC0415  (asks the system's services, needed only where the environment says nothing)
        import keyring.errors  # noqa: PLC0415  (likewise)

        try:
            return keyring.get_password(service, name)
        except keyring.errors.KeyringError:
            self._why_not = " (this machine has none that can be reached)"
            return None


def read_secrets(
    broker: str, names: Sequence[str], environ: Mapping[str, str], keyring: Keyring | None = None
) -> dict[str, str]:
    """Return a broker's secrets by name: of the environment (MYQUANT_<BROKER>_<NAME>), else of the keyring.

    Raises one ConfigError that names all that are missing. A value that is empty or holds white space is an error too,
    and is not shown.
    """
    service = f"myquant-{broker}"
    source = keyring if keyring is not None else SystemKeyring()
    found: dict[str, str] = {}
    missing = []
    for name in names:
        value = environ.get(variable(broker, name)) or source.get_password(service, name)
        if not value:
            missing.append(name)
        elif any(sign.isspace() for sign in value):
            raise ConfigError(
                f"{variable(broker, name)} (or {service}/{name} in the keyring): must not hold white space"
            )
        else:
            found[name] = value
    if missing:
        variables = ", ".join(variable(broker, name) for name in missing)
        commands = "; ".join(f"keyring set {service} {name}" for name in missing)
        raise ConfigError(
            f"{broker}: {variables} not set, and not in the keyring{source.why_not()}: set each in the environment, or keep it"
            f" in the keyring: {commands}"
        )
    return found


def chosen_token(service: str, environ: Mapping[str, str], keyring: Keyring | None = None) -> str:
    """Return the token that a person chose for one of our own services (MYQUANT_<SERVICE>_TOKEN, or the keyring's); "": none.

    Raises ConfigError for one that is too short.
    """
    name = variable(service, "token")
    if not environ.get(name) and not (keyring or SystemKeyring()).get_password(f"myquant-{service}", "token"):
        return ""
    token = read_secrets(service, ["token"], environ, keyring)["token"]
    if len(token) < TOKEN_MIN:
        raise ConfigError(f"{name}: is too short to be safe: take {TOKEN_MIN} characters or more, or none")
    return token


def variable(broker: str, name: str) -> str:
    """Return the name of the environment variable that holds a broker's secret."""
    return f"MYQUANT_{broker}_{name}".upper()


class Redactor:
    """Takes known secrets out of texts, whatever form they have there.

    Forms: as they are, url-encoded, escaped as in JSON or Python, in base64 (also inside a longer text that was encoded as
    a whole), with `Bearer` before them. An instance is a structlog processor: put it last before the renderer.

    Attributes:
        learnt: how often what is hidden has changed: who has told another process of it looks at this.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.learnt = 0
        self._kept = tuple(secrets)
        self._added: deque[str] = deque(maxlen=ADDED_MAX)
        self._texts: list[str] = []
        self._numbers: list[re.Pattern[str]] = []
        self._learn()

    def keep(self, *secrets: str) -> None:
        """Hide these too, for ever."""
        self._kept = tuple(dict.fromkeys((*self._kept, *secrets)))
        self._learn()

    def add(self, *secrets: str) -> None:
        """Hide these too, which will not be of use for ever: beyond `ADDED_MAX` the oldest added are forgotten."""
        new = [secret for secret in secrets if secret not in self._added]
        if new:
            self._added.extend(new)
            self._learn()

    def secrets(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what is hidden for ever, and what was added: for a redactor of another process, never for a text."""
        return self._kept, tuple(self._added)

    def _learn(self) -> None:
        """Note the forms to look for, the longest first: one may be a part of another."""
        self.learnt += 1
        forms = {form for secret in (*self._kept, *self._added) for form in _forms(secret)}
        numbers = {form for form in forms if form.isdigit() and len(form) < SHORT}
        self._texts = sorted(forms - numbers, key=len, reverse=True)
        self._numbers = [re.compile(f"{_NO_DIGIT_BEFORE}{number}(?!\\d)") for number in sorted(numbers, key=len)]

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        clean = text
        for form in self._texts:
            clean = clean.replace(form, HIDDEN)
        for number in self._numbers:
            clean = number.sub(HIDDEN, clean)
        return text if clean == text else _BEARER.sub(HIDDEN, clean)

    def line(self, text: str, most: int = LINE_MAX) -> str:
        """Return the beginning of a text that another wrote, on one line and without the secrets: cut after they are hidden."""
        return " ".join(self.text(text[:READ_MAX]).split())[:most]

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return a value of a log line without the secrets: texts, numbers, bytes, errors, and what is nested."""
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return value if self.text(str(value)) == str(value) else HIDDEN
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return self.text(bytes(value).decode("utf-8", "backslashreplace"))
        if depth < DEPTH_MAX:
            if isinstance(value, Mapping):
                return {self.text(str(key)): self.value(each, depth + 1) for key, each in value.items()}
            if isinstance(value, list | tuple | set | frozenset):
                return [self.value(each, depth + 1) for each in value]
        return self.text(repr(value))

    def __call__(self, _logger: Any, _method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
        """Take the secrets out of a line of structlog's, an exception that is still to be formatted included."""
        raised = line.pop("exc_info", None)
        if raised:
            line["exception"] = "".join(traceback.format_exception(_exception(raised))).rstrip()
        return {self.text(str(key)): self.value(each) for key, each in line.items()}

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the secrets out of a record of the standard library's logging, as a filter of a logger or handler."""
        record.msg, record.args = self.text(record.getMessage()), None
        if record.exc_info:
            record.exc_text = self.text("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        return True


def _exception(raised: Any) -> BaseException | None:
    if isinstance(raised, BaseException):
        return raised
    return raised[1] if isinstance(raised, tuple) else sys.exc_info()[1]


def _forms(secret: str) -> set[str]:
    if not secret:
        return set()
    content = secret.encode()
    forms = {secret, quote_plus(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    forms |= {repr(secret)[1:-1], ascii(secret)[1:-1]}
    encoded = quote(secret, safe="")
    forms |= {encoded, quote(secret), re.sub("%[0-9A-F]{2}", lambda hit: hit[0].lower(), encoded)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(content).decode()
        forms |= {whole, whole.rstrip("=")}
        pieces = {_inside(encode(bytes(shift) + content), shift, content) for shift in range(3)}
        forms |= {piece for piece in pieces if len(piece) >= PIECE_MIN}
    return forms


def _inside(encoded: bytes, shift: int, content: bytes) -> str:
    """Return the signs of base64 that no byte before or after the content has a part in."""
    first, end = math.ceil(8 * shift / 6), 8 * (shift + len(content)) // 6
    return encoded[first:end].decode()
