"""Angel One's REST client: a session of one trading day, and what else is asked over HTTP.

Log in once a day with PIN and one-time password; a session that the broker has ended meanwhile is renewed once by the
call that notices. A wrong PIN or one-time password is never sent twice.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from myquant.brokers.angelone import settings
from myquant.brokers.angelone.answers import BROKER_NAME, opened, paise_of, text_of
from myquant.brokers.angelone.settings import AngelOneCredentials, Endpoints, Machine
from myquant.brokers.http import NOT_TRUSTED, RATE_LIMITED, Http, NoAnswerError, Reply, unreachable
from myquant.brokers.port import BrokerInstrument, Funds, Remedy, RequestError
from myquant.brokers.token_cache import TokenCache
from myquant.errors import ConfigError, MyquantError

IST: Final = timezone(timedelta(hours=5, minutes=30))
CODE_S: Final = 30  # how long a one-time password lasts
CODE_SPARE_S: Final = 2.0  # one that ends sooner is not sent: it might arrive too late

_NO_ANSWER: Final = {
    RATE_LIMITED: Remedy.RATE_LIMIT,
    NOT_TRUSTED: Remedy.STOP,
}


@dataclass(frozen=True, repr=False)
class Tokens:
    """The tokens of one session; `day`: the calendar day of the login in India."""

    jwt: str
    refresh: str
    feed: str
    day: str
    owner: str  # whose, and of which service: a digest

    def __repr__(self) -> str:
        return f"Tokens(day={self.day!r}, ***)"


class AngelOneClient:
    """One account at one service. All failures are `RequestError`s, redacted.

    Args:
        http: entered, and closed, by the caller; its redactor learns all credentials and tokens.
        cache: where the day's tokens are kept; None: nowhere.
        wall_s: UTC, seconds since the epoch; the one-time password depends on it.

    Attributes:
        tokens: of the session; None: not logged in.
        logins, renewals: how often there was one.
        not_kept: why the tokens could not be kept, empty: they could. It costs a login at the next start, and no more.
    """

    def __init__(
        self,
        http: Http,
        credentials: AngelOneCredentials,
        *,
        endpoints: Endpoints,
        machine: Machine | None = None,
        cache: TokenCache | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.http = http
        self.endpoints = endpoints
        self.redactor = http.redactor
        self.tokens: Tokens | None = None
        self.logins = 0
        self.renewals = 0
        self.not_kept = ""
        self._credentials = credentials
        self._machine = machine or Machine()
        self._cache = cache
        self._wall_s = wall_s
        self._renewing = asyncio.Lock()
        whose = f"{self.endpoints.rest}\n{credentials.api_key}\n{credentials.client_code}"
        self._owner = hashlib.sha256(whose.encode()).hexdigest()[:16]
        self.redactor.keep(*credentials.secrets())

    @property
    def client_code(self) -> str:
        """The account's client code; not for a log."""
        return self._credentials.client_code

    def __repr__(self) -> str:
        return f"AngelOneClient({self.endpoints.rest})"

    async def start(self) -> None:
        """Have a session: the day's, where it is kept, else log in."""
        kept = self._cache.load() if self._cache is not None else None
        if kept is not None and set(kept) == set(Tokens.__dataclass_fields__):
            tokens = Tokens(**kept)
            if tokens.day == self._today() and tokens.owner == self._owner:
                self._take(tokens)
                return
        await self.login()

    async def login(self) -> None:
        """Log in with PIN and one-time password."""

        async def ask() -> Reply:
            code = await self._one_time_password()  # a new one per attempt: the last may have run out
            self.redactor.add(code)
            body = {"clientcode": self._credentials.client_code, "password": self._credentials.pin, "totp": code}
            return await self._ask("POST", settings.LOGIN, self._headers(), body)

        self._grant("login", await self._answer("login", ask))
        self.logins += 1

    async def renew(self, ended: Tokens | None, *, by_login: bool = False) -> None:
        """Replace a session that the broker has ended: by its refresh token, else (or `by_login`) by a login.

        Several may notice the end of the same session; one of them replaces it.
        """
        async with self._renewing:
            if self.tokens is not ended:
                return
            if not by_login and ended is not None and ended.day == self._today():
                try:
                    await self._generate_tokens(ended)
                except RequestError as error:
                    if error.remedy in {Remedy.CONFIG, Remedy.STOP}:
                        raise
                else:
                    return
            await self.login()

    async def logout(self) -> None:
        """End the session at the broker, and forget its tokens."""
        if self.tokens is None:
            return
        body = {"clientcode": self._credentials.client_code}
        try:
            await self._asked("logout", "POST", settings.LOGOUT, body)
        finally:
            self.tokens = None
            if self._cache is not None:
                self._cache.delete()

    async def profile(self) -> dict[str, Any]:
        """Return the profile of the account as the broker has it."""
        data = await self._secured("profile", "GET", settings.PROFILE)
        text_of("profile", data, "clientcode")
        return dict(data)

    async def funds(self) -> Funds:
        """Return what the account has (RMS)."""
        data = await self._secured("funds", "GET", settings.FUNDS)
        return Funds(paise_of("funds", data, "net"), paise_of("funds", data, "availablecash"))

    async def last_price(self, instrument: BrokerInstrument) -> int:
        """Return the last traded price, paise. The service says rupees; hold it against the feed before relying on it."""
        body = {
            "exchange": instrument.segment,
            "tradingsymbol": instrument.broker_symbol or instrument.symbol,
            "symboltoken": instrument.token,
        }
        data = await self._secured("last price", "POST", settings.LAST_PRICE, body)
        return paise_of("last price", data, "ltp")

    async def book(self, request: str, path: str) -> Any:
        """Return the data of one of the books, null where it is empty; `request` is its name in errors."""
        try:
            return await self._secured(request, "GET", path)
        except (ValueError, RecursionError):
            raise RequestError(BROKER_NAME, request, "its answer can't be read", Remedy.UNKNOWN) from None

    def order_headers(self) -> dict[str, str]:
        """Return the headers of a request about orders. Raises RequestError without a session."""
        return self._secure_headers()

    def socket_headers(self) -> dict[str, str]:
        """Return the headers of the feed's handshake. Raises RequestError without a session."""
        tokens = self._session("feed")
        return {
            "Authorization": f"Bearer {tokens.jwt}",
            "x-api-key": self._credentials.api_key,
            "x-client-code": self._credentials.client_code,
            "x-feed-token": tokens.feed,
        }

    def _session(self, request: str) -> Tokens:
        if self.tokens is None:
            raise RequestError(BROKER_NAME, request, "there is no session", Remedy.RELOGIN)
        return self.tokens

    async def _secured(self, request: str, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        """Ask within the session; one that has ended is renewed, once."""
        used = self._session(request)
        try:
            return await self._asked(request, method, path, body)
        except RequestError as error:
            if error.remedy is not Remedy.RELOGIN:
                raise
        await self.renew(used)
        return await self._asked(request, method, path, body)

    async def _generate_tokens(self, ended: Tokens) -> None:
        request = "renewal of the session"
        body = {"refreshToken": ended.refresh}
        data = await self._asked(request, "POST", settings.GENERATE_TOKENS, body)
        self._grant(request, data)
        self.renewals += 1

    async def _asked(self, request: str, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        return await self._answer(request, lambda: self._ask(method, path, self._secure_headers(), body))

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, str] | None) -> Reply:
        await self.http.paced(path, settings.PACES_S[path])
        return await self.http.once(method, self.endpoints.rest + path, headers, body)

    async def _answer(self, request: str, ask: Callable[[], Awaitable[Reply]]) -> Any:
        """Return the data of the answer. Everything asked here may be asked again: it changes no order."""
        try:
            reply = await self.http.patiently(ask)
            return opened(request, reply.body, reply.status, self.redactor)
        except NoAnswerError as error:
            remedy = _NO_ANSWER.get(error.kind, Remedy.RETRY)
            said = unreachable(self.endpoints.rest, "angelone.rest_url", error)
            raise RequestError(BROKER_NAME, request, said, remedy) from None

    def _grant(self, request: str, data: Any) -> None:
        jwt, refresh, feed = (text_of(request, data, name) for name in ("jwtToken", "refreshToken", "feedToken"))
        tokens = Tokens(jwt.removeprefix("Bearer ").strip(), refresh, feed, self._today(), self._owner)
        self._take(tokens)
        if self._cache is not None:
            try:
                self._cache.save(asdict(tokens))
            except MyquantError as error:
                self.not_kept = str(error)

    def _take(self, tokens: Tokens) -> None:
        self.redactor.add(tokens.jwt, tokens.refresh, tokens.feed)
        self.tokens = tokens

    def _headers(self) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-UserType": "USER",
            "X-SourceID": "WEB",
            "X-ClientLocalIP": self._machine.local_ip,
            "X-ClientPublicIP": self._machine.public_ip,
            "X-MACAddress": self._machine.mac,
            "X-PrivateKey": self._credentials.api_key,
        }

    def _secure_headers(self) -> dict[str, str]:
        return self._headers() | {"Authorization": f"Bearer {self._session('request').jwt}"}

    async def _one_time_password(self) -> str:
        import pyotp  # noqa: PLC0415  (needed at a login only)

        left_s = CODE_S - self._wall_s() % CODE_S
        if left_s < CODE_SPARE_S:
            await self.http.sleep(left_s)
        try:
            return pyotp.TOTP(self._credentials.totp_secret).at(int(self._wall_s()))
        except ValueError:
            raise ConfigError(
                "MYQUANT_ANGELONE_TOTP_SECRET (or its keyring entry): must be base32 of 112 bits or more"
            ) from None

    def _today(self) -> str:
        return datetime.fromtimestamp(self._wall_s(), UTC).astimezone(IST).date().isoformat()
