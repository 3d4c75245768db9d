"""Who may come in: roles, logins, one-time links, and the token of programs. All of it is in memory: a restart ends every login."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

SECRET_BYTES: Final = 32
LOGINS_MAX: Final = 256  # beyond it the oldest ends
LINKS_MAX: Final = 32  # likewise
LINK_S: Final = 600.0
HOUR_S: Final = 3600

How = Literal["password", "link", "token"]


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # look and act


def steady_s() -> float:
    """Return a clock, seconds, that nobody sets and that goes on while the machine sleeps (Linux)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(eq=False)
class Login:
    """A login that lasts. `on_end` is called when it ends before its time: sockets that were opened with it end, too."""

    role: Role
    how: How
    ends_s: float  # by the clock of `Logins`
    on_end: set[Callable[[], None]] = field(default_factory=set)


@dataclass(frozen=True)
class Identity:
    """Who makes a request. `login`: None for a program with the token."""

    role: Role
    how: How
    address: str
    login: Login | None = None

    @property
    def can_act(self) -> bool:
        """Whether he may do more than look."""
        return self.role is Role.OPERATOR

    @property
    def who(self) -> str:
        """Who he is, for logs and people: `operator by link from 127.0.0.1`."""
        return f"{self.role} by {self.how} from {self.address}"


def identity_of(scope: Any) -> Identity:
    """Return who makes a request, of its ASGI scope (`request.scope`, `websocket.scope`). KeyError: no guard was passed."""
    found: Identity = scope["state"]["identity"]
    return found


class Logins:
    """The logins that last, known by the SHA-256 of their secret.

    Args:
        login_s: how long a login lasts from its beginning, however it is used.
        now_s: a clock, seconds.
    """

    def __init__(self, login_s: float, now_s: Callable[[], float] = steady_s) -> None:
        self.login_s = login_s
        self.now_s = now_s
        self._logins: dict[bytes, Login] = {}  # the oldest first

    def begin(self, role: Role, how: How) -> str:
        """Begin a login and return its secret, for a cookie."""
        self._drop_old()
        while len(self._logins) >= LOGINS_MAX:
            self._end(next(iter(self._logins)))
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._logins[_digest(secret)] = Login(role, how, self.now_s() + self.login_s)
        return secret

    def find(self, secret: str) -> Login | None:
        """Return the login of a secret; None: there is none, or it is over."""
        login = self._logins.get(_digest(secret))
        return login if login is not None and self.left_s(login) > 0 else None

    def left_s(self, login: Login) -> float:
        """Return how long a login still lasts, seconds; 0: it is over."""
        return max(0.0, login.ends_s - self.now_s()) if login in self._logins.values() else 0.0

    def end(self, login: Login) -> None:
        """End a login now."""
        for key in [key for key, each in self._logins.items() if each is login]:
            self._end(key)

    def __len__(self) -> int:
        """Return how many there are."""
        self._drop_old()
        return len(self._logins)

    def _drop_old(self) -> None:
        for key in [key for key, each in self._logins.items() if each.ends_s <= self.now_s()]:
            self._end(key)

    def _end(self, key: bytes) -> None:
        for told in tuple(self._logins.pop(key).on_end):
            told()


class Links:
    """Keys that let somebody in once, within ten minutes."""

    def __init__(self, now_s: Callable[[], float] = steady_s) -> None:
        self.now_s = now_s
        self._links: dict[bytes, tuple[Role, float]] = {}  # the oldest first

    def make(self, role: Role) -> str:
        """Return a new key; of too many the oldest is good no more."""
        while len(self._links) >= LINKS_MAX:
            del self._links[next(iter(self._links))]
        key = secrets.token_urlsafe(SECRET_BYTES)
        self._links[_digest(key)] = role, self.now_s() + LINK_S
        return key

    def is_good(self, key: str) -> bool:
        """Return whether a key would be taken."""
        return self._role(key) is not None

    def take(self, key: str) -> Role | None:
        """Use a key up and return its role; None: it is none, too old or used."""
        role = self._role(key)
        self._links.pop(_digest(key), None)
        return role

    def _role(self, key: str) -> Role | None:
        role, ends_s = self._links.get(_digest(key), (None, 0.0))
        return role if self.now_s() < ends_s else None


class FormTokens:
    """What a form has to send besides its fields: made of a cookie of the same browser, so that no other page can send it."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(SECRET_BYTES)

    def of(self, cookie: str) -> str:
        """Return the token that belongs to a cookie."""
        return hmac.new(self._key, cookie.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()

    def fits(self, token: str, cookie: str) -> bool:
        """Return whether token and cookie belong together."""
        return bool(cookie) and is_same(token, self.of(cookie))


def is_same(given: str, wanted: str) -> bool:
    """Return whether two secrets are the same, in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), wanted.encode(errors="surrogatepass"))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
