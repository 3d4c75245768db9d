"""The REST service, but for orders and funds: login and tokens, profile, last prices, the instrument master.

Replies are HTTP 200 with an envelope, whose keys for a bad token are spelled otherwise than for all else, as at the
broker. Too many requests are answered with 403 and plain text.
"""

import itertools
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web

from myquant.lab.angelone.account import NO_API_KEY, Account, Clock, Limiter, Refusal, Tokens
from myquant.lab.angelone.envelope import (
    BAD_INPUT,
    REQUIRED_HEADERS,
    TOO_OFTEN,
    UNKNOWN_SYMBOL,
    USER,
    WRONG_SYMBOL,
    accepted_body,
    refused_body,
)
from myquant.lab.angelone.faults import Faults
from myquant.lab.angelone.instruments import Listed, master

MASTER_PATH: Final = "/OpenAPI_File/files/OpenAPIScripMaster.json"
AUTH: Final = "/rest/auth/angelbroking"
QUOTE_TOKENS_MAX: Final = 50

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Price(NamedTuple):
    """Prices of an instrument today, paise."""

    last: int
    open: int
    high: int
    low: int
    close: int


def accepted(data: Any) -> web.Response:
    """Return the envelope of success."""
    return web.Response(body=accepted_body(data), content_type="application/json")


def refused(why: Refusal) -> web.Response:
    """Return the envelope of a failure."""
    return web.Response(body=refused_body(why), content_type="application/json")


class Rest:
    """The service of one account. `price_of` gives an instrument's prices, None: it has none."""

    def __init__(
        self,
        account: Account,
        listed: Sequence[Listed],
        price_of: Callable[[Listed], Price | None],
        faults: Faults,
        counts: Counter[str],
        clock: Clock,
    ) -> None:
        self._account = account
        self._listed = {(each.segment, each.token): each for each in listed}
        self._price_of = price_of
        self._counts = counts
        self._limiter = Limiter(clock)
        self._login_faults = _login_faults(faults)
        self._master = json.dumps(master(listed)).encode()

    def application(self) -> web.Application:
        """Return the routes."""
        order = "/rest/secure/angelbroking/order/v1"
        app = web.Application()
        for method, path, per_second, handler in (
            ("POST", f"{AUTH}/user/v1/loginByPassword", 1, self._login),
            ("POST", f"{AUTH}/jwt/v1/generateTokens", 1, self._generate_tokens),
            ("POST", f"{USER}/logout", 1, self._secured(self._logout)),
            ("GET", f"{USER}/getProfile", 3, self._secured(self._profile)),
            ("POST", f"{order}/getLtpData", 10, self._secured(self._last_price)),
            ("POST", "/rest/secure/angelbroking/market/v1/quote", 10, self._secured(self._quote)),
        ):
            app.router.add_route(method, path, self._limited(path, per_second, handler))
        app.router.add_get(MASTER_PATH, self._send_master)
        return app

    def _limited(self, path: str, per_second: int, handler: Handler) -> Handler:
        async def limited(request: web.Request) -> web.Response:
            self._counts["requests"] += 1
            if not self._limiter.allows(path, per_second):
                self._counts["requests_too_often"] += 1
                return web.Response(status=403, text=TOO_OFTEN)
            if any(name not in request.headers for name in REQUIRED_HEADERS):
                return refused(BAD_INPUT)
            return await handler(request)

        return limited

    def _secured(self, handler: Handler) -> Handler:
        async def secured(request: web.Request) -> web.Response:
            headers = request.headers
            why = self._account.refusal(headers.get("Authorization"), headers.get("X-PrivateKey"))
            return await handler(request) if why is None else refused(why)

        return secured

    async def _login(self, request: web.Request) -> web.Response:
        name, fault = next(self._login_faults, (None, None))
        if name is not None and fault is not None:
            self._counts[name] += 1
            return fault()
        if request.headers.get("X-PrivateKey") != self._account.credentials.api_key:
            return refused(NO_API_KEY)
        body = await _texts(request, "clientcode", "password", "totp")
        if body is None:
            return refused(BAD_INPUT)
        tokens = self._account.login(*(body[key] for key in ("clientcode", "password", "totp")))
        self._counts["logins" if isinstance(tokens, Tokens) else "logins_refused"] += 1
        state = {"state": body["state"]} if "state" in body else {}
        return _granted(tokens, state)

    async def _generate_tokens(self, request: web.Request) -> web.Response:
        if request.headers.get("X-PrivateKey") != self._account.credentials.api_key:
            return refused(NO_API_KEY)
        body = await _texts(request, "refreshToken")
        if body is None:
            return refused(BAD_INPUT)
        tokens = self._account.refresh(request.headers.get("Authorization"), body["refreshToken"])
        self._counts["refreshes" if isinstance(tokens, Tokens) else "refreshes_refused"] += 1
        return _granted(tokens, {})

    async def _logout(self, request: web.Request) -> web.Response:
        body = await _texts(request, "clientcode")
        if body is None or body["clientcode"] != self._account.credentials.client_code:
            return refused(BAD_INPUT)
        self._account.logout()
        return accepted("")

    async def _profile(self, _request: web.Request) -> web.Response:
        code = self._account.credentials.client_code
        profile = {"clientcode": code, "name": "LAB", "email": "", "mobileno": "", "lastlogintime": "", "brokerid": ""}
        exchanges = sorted({segment for segment, _ in self._listed})
        return accepted({**profile, "exchanges": exchanges, "products": ["CNC", "NRML", "MARGIN", "MIS"]})

    async def _last_price(self, request: web.Request) -> web.Response:
        body = await _texts(request, "exchange", "tradingsymbol", "symboltoken")
        if body is None:
            return refused(BAD_INPUT)
        each = self._listed.get((body["exchange"], body["symboltoken"]))
        if each is None:
            return refused(UNKNOWN_SYMBOL)
        price = self._price_of(each)
        if price is None or each.symbol != body["tradingsymbol"]:
            return refused(WRONG_SYMBOL)
        return accepted({**body, **_ohlc(price), "ltp": price.last / 100})

    async def _quote(self, request: web.Request) -> web.Response:
        body = await _body(request)
        wanted, mode = body.get("exchangeTokens"), body.get("mode")
        if not isinstance(wanted, dict) or mode not in {"LTP", "OHLC"}:
            return refused(BAD_INPUT)
        asked = [(segment, str(token)) for segment, tokens in wanted.items() for token in tokens]
        if not 1 <= len(asked) <= QUOTE_TOKENS_MAX:
            return refused(BAD_INPUT)
        fetched, unfetched = [], []
        for segment, token in asked:
            each = self._listed.get((segment, token))
            price = None if each is None else self._price_of(each)
            if each is None or price is None:
                why = {"message": UNKNOWN_SYMBOL.message, "errorCode": UNKNOWN_SYMBOL.code}
                unfetched.append({"exchange": segment, "symbolToken": token, **why})
                continue
            row = {"exchange": segment, "tradingSymbol": each.symbol, "symbolToken": token, "ltp": price.last / 100}
            fetched.append(row if mode == "LTP" else {**row, **_ohlc(price)})
        return accepted({"fetched": fetched, "unfetched": unfetched})

    async def _send_master(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._master, content_type="application/json")


def _granted(tokens: Tokens | Refusal, state: dict[str, Any]) -> web.Response:
    if isinstance(tokens, Refusal):
        return refused(tokens)
    return accepted({"jwtToken": tokens.jwt, "refreshToken": tokens.refresh, "feedToken": tokens.feed, **state})


def _ohlc(price: Price) -> dict[str, float]:
    return {name: getattr(price, name) / 100 for name in ("open", "high", "low", "close")}


async def _body(request: web.Request) -> dict[str, Any]:
    """Return a JSON object; empty: it is none."""
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}


async def _texts(request: web.Request, *names: str) -> dict[str, Any] | None:
    """Return a JSON object that has a text under each name; None: it has not."""
    body = await _body(request)
    return body if all(isinstance(body.get(name), str) for name in names) else None


def _login_faults(faults: Faults) -> "itertools.chain[tuple[str, Callable[[], web.Response]]]":
    """Return what the first logins are answered with, in order."""
    too_many, broken, garbage = faults.login_429, faults.login_5xx, faults.login_garbage

    def failing(status: int) -> Callable[[], web.Response]:
        page = f"<html><body><h1>{status}</h1></body></html>"
        return lambda: web.Response(status=status, text=page, content_type="text/html")

    statuses = (500, 502, 503, 504)
    return itertools.chain(
        [("login_429", lambda: web.Response(status=429, text=TOO_OFTEN))] * (too_many.tries if too_many else 0),
        [("login_5xx", failing(statuses[at % 4])) for at in range(broken.tries if broken else 0)],
        [
            (
                "login_garbage",
                lambda: web.Response(text='{"status": true, "data": {"jwt', content_type="application/json"),
            )
        ]
        * (garbage.tries if garbage else 0),
    )
