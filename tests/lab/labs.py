"""What the tests of the lab share: a small day, a client that logs in, and one that listens."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import aiohttp
import numpy as np
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from pyotp import TOTP

from myquant.lab.angelone.server import AngelOneLab
from myquant.lab.market_day import MarketDay, market_day
from myquant.ticks.batch import InstrumentName
from myquant.ticks.generate import SECOND_NS

SYMBOL = "NIFTY07OCT2524900CE"
OTHER = "NIFTY07OCT2525000PE"
DAY = date(2025, 10, 3)
OPEN_NS = int(datetime(2025, 10, 3, 9, 15, tzinfo=ZoneInfo("Asia/Kolkata")).timestamp()) * SECOND_NS
TIMEOUT_S = 15.0

STEP_NS = 1_100_000_000

Result = TypeVar("Result")


class Hasty:
    """A clock that is right at first, and gains a little more than a second with each look: no rate limit is met.

    A TOTP of the right time is good for some twenty looks.
    """

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        return time.time_ns() + self.looks * STEP_NS


def run(coroutine: Awaitable[Result]) -> Result:
    """Run a coroutine, and fail when it hangs."""

    async def limited() -> Result:
        return await asyncio.wait_for(coroutine, TIMEOUT_S)

    return asyncio.run(limited())


def small_day(count: int = 400, symbols: Sequence[str] = (SYMBOL,), *, quotes: bool = True) -> MarketDay:
    """Return a day of ticks a quarter of a second apart, with some without volume, in turn of the contracts."""
    rng = np.random.default_rng(3)
    price = 20_000 + 5 * np.cumsum(rng.integers(-3, 4, count))
    volume = np.where(np.arange(count) % 7 == 0, 0, 75 * rng.integers(1, 5, count))
    bid, ask = (price - 5, price + 10) if quotes else (np.zeros(count, np.int64), np.zeros(count, np.int64))
    return market_day(
        DAY,
        [InstrumentName(symbol) for symbol in symbols],
        OPEN_NS + np.arange(count) * SECOND_NS // 4,
        price,
        volume,
        bid,
        ask,
        np.arange(count) % len(symbols),
    )


def headers(lab: AngelOneLab, jwt: str | None = None) -> dict[str, str]:
    """Return the headers of a REST request."""
    names = ("X-UserType", "X-SourceID", "X-ClientLocalIP", "X-ClientPublicIP", "X-MACAddress")
    found = {**dict.fromkeys(names, "x"), "Accept": "application/json", "X-PrivateKey": lab.credentials.api_key}
    return found if jwt is None else {**found, "Authorization": f"Bearer {jwt}"}


def login_body(lab: AngelOneLab, **other: str) -> dict[str, str]:
    """Return the body of a login, parts of it replaced."""
    known = lab.credentials
    body = {"clientcode": known.client_code, "password": known.pin, "totp": TOTP(known.totp_secret).now()}
    return {**body, **other}


LOGIN = "/rest/auth/angelbroking/user/v1/loginByPassword"


async def login(lab: AngelOneLab, trusting: ssl.SSLContext | None = None) -> dict[str, str]:
    """Log in and return the tokens."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(lab.rest_url + LOGIN, json=login_body(lab), headers=headers(lab), ssl=trusting or True) as reply,
    ):
        data: dict[str, str] = (await reply.json())["data"]
        return data


class Client(WSListener):
    """A connection to the feed that keeps what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: list[bytes] = []
        self.texts: list[str] = []
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002  (picows passes it)
        if frame.msg_type == WSMsgType.BINARY:
            self.packets.append(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT:
            self.texts.append(frame.get_payload_as_utf8_text())

    def say(self, text: str) -> None:
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, text.encode())

    @property
    def is_open(self) -> bool:
        assert self.transport is not None
        return not self.transport.is_disconnected


def feed_headers(lab: AngelOneLab, tokens: dict[str, str]) -> dict[str, str]:
    """Return the headers of a handshake."""
    return {
        "Authorization": tokens["jwtToken"],
        "x-api-key": lab.credentials.api_key,
        "x-client-code": lab.credentials.client_code,
        "x-feed-token": tokens["feedToken"],
    }


async def connect(lab: AngelOneLab, tokens: dict[str, str], **options: Any) -> Client:
    """Open a connection."""
    client = Client()
    await ws_connect(lambda: client, lab.feed_url, extra_headers=feed_headers(lab, tokens), **options)
    return client


def wish(lab: AngelOneLab, symbols: Sequence[str], mode: int = 3, action: int = 1) -> str:
    """Return the text of a subscription."""
    groups = [{"exchangeType": kind, "tokens": [token]} for kind, token in map(lab.token_of, symbols)]
    text = str({"correlationID": "abc123", "action": action, "params": {"mode": mode, "tokenList": groups}})
    return text.replace("'", '"')


async def subscribed(lab: AngelOneLab, symbols: Sequence[str] = (SYMBOL,), mode: int = 3) -> Client:
    """Log in, connect and subscribe."""
    client = await connect(lab, await login(lab))
    client.say(wish(lab, symbols, mode))
    return client


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true; the test's timeout ends it."""
    while not true():  # noqa: ASYNC110  (what is waited for is plain data)
        await asyncio.sleep(0.005)
