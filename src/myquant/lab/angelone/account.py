"""The lab's one account: its credentials, the tokens it was given, and how often it may ask."""

import base64
import hashlib
import hmac
import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from pyotp import TOTP

from myquant.lab.market_day import DAY_NS, IST_NS
from myquant.ticks.generate import SECOND_NS

ENVIRONMENT: Final = {
    "client_code": "MYQUANT_ANGELONE_CLIENT_CODE",
    "pin": "MYQUANT_ANGELONE_PIN",
    "totp_secret": "MYQUANT_ANGELONE_TOTP_SECRET",
    "api_key": "MYQUANT_ANGELONE_API_KEY",
}

Clock = Callable[[], int]  # ns since the epoch, UTC


class Credentials(NamedTuple):
    """What a client logs in with."""

    client_code: str = "LAB1001"
    pin: str = "1234"
    totp_secret: str = "LABLABLABLABLABLABLABLABLABLABLA"  # noqa: S105  (of the lab alone, which tells it to everyone)
    api_key: str = "labApiKy"

    def __repr__(self) -> str:
        """Say which account it is, and no secret."""
        return "Credentials(...)"


def credentials_of(environment: Mapping[str, str]) -> Credentials:
    """Return the lab's credentials, each replaced by that of the environment where it is set."""
    return Credentials(**{name: environment[key] for name, key in ENVIRONMENT.items() if environment.get(key)})


class Tokens(NamedTuple):
    """What a login or a refresh gives."""

    jwt: str
    refresh: str
    feed: str


class Refusal(NamedTuple):
    """Why something was refused: the broker's code and its words."""

    code: str
    message: str


INVALID: Final = Refusal("AG8001", "Invalid Token")
EXPIRED: Final = Refusal("AG8002", "Token Expired")
MISSING: Final = Refusal("AG8003", "Token missing")
NO_API_KEY: Final = Refusal("AG8004", "Invalid API Key")
WRONG_PIN: Final = Refusal("AB1000", "Invalid Email Or Password")
WRONG_TOTP: Final = Refusal("AB1007", "Invalid totp")
BAD_REFRESH: Final = Refusal("AB8050", "Invalid Refresh Token")
OLD_REFRESH: Final = Refusal("AB8051", "Refresh Token Expired")


class Account:
    """Who may come in. Tokens end at the next midnight in India, by the clock given."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        """Begin without tokens."""
        self.credentials = credentials
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._jwts: dict[str, int] = {}  # to the instant of their end
        self._feeds: dict[str, int] = {}
        self._refreshes: dict[str, int] = {}

    def login(self, client_code: str, pin: str, totp: str) -> Tokens | Refusal:
        """Check PIN and TOTP (the code before and the one after are good, too)."""
        if (client_code, pin) != (self.credentials.client_code, self.credentials.pin):
            return WRONG_PIN
        now = datetime.fromtimestamp(self._clock() // SECOND_NS, UTC)
        if not TOTP(self.credentials.totp_secret).verify(totp, for_time=now, valid_window=1):
            return WRONG_TOTP
        return self._issue()

    def refresh(self, authorization: str | None, refresh_token: str) -> Tokens | Refusal:
        """Exchange a refresh token, which is good once, for new tokens; it needs a bearer, if an old one."""
        if not bearer(authorization):
            return MISSING
        ends_ns = self._refreshes.pop(refresh_token, None)
        if ends_ns is None:
            return BAD_REFRESH
        return self._issue() if self._clock() < ends_ns else OLD_REFRESH

    def refusal(self, authorization: str | None, api_key: str | None) -> Refusal | None:
        """Return why a request with these headers is refused; None: it is not."""
        if api_key != self.credentials.api_key:
            return NO_API_KEY
        token = bearer(authorization)
        if not token:
            return MISSING
        return self._state(self._jwts, token)

    def feed_refusal(self, headers: Mapping[str, str]) -> str | None:
        """Return what a handshake with these headers is refused with; None: it is not."""
        if self._state(self._jwts, bearer(headers.get("Authorization"))):
            return "Invalid Auth Token"
        if headers.get("x-client-code") != self.credentials.client_code:
            return "Invalid Client Code"
        if headers.get("x-api-key") != self.credentials.api_key:
            return "Invalid API Key"
        if self._state(self._feeds, headers.get("x-feed-token", "")):
            return "Invalid Feed Token"
        return None

    def update_refusal(self, authorization: str | None) -> Refusal | None:
        """Return why a connection for order updates is refused; None: it is not."""
        return self._state(self._jwts, bearer(authorization))

    def logout(self) -> None:
        """Make all tokens invalid."""
        self._refreshes.clear()
        self.roll()

    def roll(self) -> None:
        """Make all tokens invalid but those for a refresh."""
        self._jwts.clear()
        self._feeds.clear()

    def _state(self, known: Mapping[str, int], token: str) -> Refusal | None:
        if token not in known:
            return INVALID
        return None if self._clock() < known[token] else EXPIRED

    def _issue(self) -> Tokens:
        now_ns = self._clock()
        ends_ns = ((now_ns + IST_NS) // DAY_NS + 1) * DAY_NS - IST_NS
        claims = {"username": self.credentials.client_code, "iat": now_ns // SECOND_NS, "exp": ends_ns // SECOND_NS}
        tokens = Tokens(*(self._signed({**claims, "use": use, "jti": secrets.token_hex(8)}) for use in Tokens._fields))
        self._jwts[tokens.jwt] = self._refreshes[tokens.refresh] = self._feeds[tokens.feed] = ends_ns
        return tokens

    def _signed(self, claims: Mapping[str, object]) -> str:
        """Return a JSON web token (RFC 7519)."""
        parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS512", "typ": "JWT"}, claims)]
        signature = hmac.digest(self._key, ".".join(parts).encode(), hashlib.sha512)
        return ".".join((*parts, _base64url(signature)))


class Limiter:
    """How often something may be asked for: so many times in any second of the clock."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing asked."""
        self._clock = clock
        self._asked: dict[str, deque[int]] = {}

    def allows(self, what: str, per_second: int) -> bool:
        """Return whether it is allowed once more, and count it if so."""
        now_ns, asked = self._clock(), self._asked.setdefault(what, deque())
        while asked and asked[0] <= now_ns - SECOND_NS:
            asked.popleft()
        if len(asked) >= per_second:
            return False
        asked.append(now_ns)
        return True


def bearer(authorization: str | None) -> str:
    """Return the token of an Authorization header, with or without the word in front; empty: there is none."""
    return (authorization or "").removeprefix("Bearer ").strip()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
