"""A small stand-in for Angel One's services on loopback: it grants, refuses, breaks and falls silent as it is told."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pyotp
from aiohttp import web
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from myquant.brokers.angelone import settings
from myquant.brokers.angelone.client import AngelOneClient
from myquant.brokers.angelone.settings import AngelOneCredentials, Endpoints
from myquant.brokers.http import Http, Patience
from myquant.brokers.port import BrokerInstrument
from myquant.brokers.secrets import Redactor
from myquant.brokers.token_cache import TokenCache

CREDENTIALS: Final = AngelOneCredentials("kEy/8+planted", "Q77PLANTED", "4907", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
PACKET: Final = bytes([1, 1]) + b"99926000" + bytes(41)
NIFTY: Final = BrokerInstrument("NIFTY", "NSE", "99926000", 1, 1, 0)
OPTION: Final = BrokerInstrument("NIFTY24NOV2625000CE", "NFO", "35003", 2, 65, 5)
LIMIT_S: Final = 15.0

Answer = Callable[[web.Request], Awaitable[web.Response]]


def run(coroutine: Any) -> Any:
    """Run a test's coroutine, for at most `LIMIT_S`."""
    return asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(LIMIT_S / 2):
        while not true():  # noqa: ASYNC110  (whatever is waited for knows of no event)
            await asyncio.sleep(0.005)


def envelope(data: Any) -> web.Response:
    return web.json_response({"status": True, "message": "SUCCESS", "errorcode": "", "data": data})


def refusal(code: str, message: str) -> web.Response:
    return web.json_response({"status": False, "message": message, "errorcode": code, "data": None})


def text(status: int, body: str) -> web.Response:
    return web.Response(status=status, text=body)


@dataclass
class FakeBroker:
    """What it was asked, and what it answers next: `scripted` by path, else as the real one would."""

    calls: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    scripted: dict[str, list[web.Response]] = field(default_factory=dict)
    jwt: str = ""
    sockets: "list[Server]" = field(default_factory=list)
    handshakes: list[int] = field(default_factory=list)  # statuses to refuse the next handshakes with
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    mute: bool = False  # new connections send nothing
    port: int = 0
    stream_port: int = 0
    secure: bool = False

    @property
    def endpoints(self) -> Endpoints:
        tls = "s" if self.secure else ""
        rest = f"http{tls}://localhost:{self.port}"
        stream = f"ws{tls}://localhost:{self.stream_port}"
        return Endpoints(rest, f"{stream}/smart-stream", f"{rest}/master.json", f"{stream}/smart-order-update")

    def grant(self) -> web.Response:
        number = self.calls[settings.LOGIN] + self.calls[settings.GENERATE_TOKENS]
        self.jwt = f"jwt-planted-{number}"
        return envelope(
            {
                "jwtToken": f"Bearer {self.jwt}",
                "refreshToken": f"refresh-planted-{number}",
                "feedToken": f"feed-planted-{number}",
            }
        )

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path
        self.calls[path] += 1
        body = await request.json() if request.can_read_body else {}
        self.bodies.append(body)
        if self.scripted.get(path):
            return self.scripted[path].pop(0)
        if request.headers.get("X-PrivateKey") != CREDENTIALS.api_key:
            return web.json_response(
                {"success": False, "message": "Invalid API Key", "errorCode": "AG8004", "data": ""}
            )
        if path == settings.LOGIN:
            sound = pyotp.TOTP(CREDENTIALS.totp_secret).verify(body["totp"], valid_window=1)
            return self.grant() if sound and body["password"] == CREDENTIALS.pin else refusal("AB1050", "Invalid totp")
        if request.headers.get("Authorization") != f"Bearer {self.jwt}":
            return web.json_response({"success": False, "message": "Invalid Token", "errorCode": "AG8001", "data": ""})
        answers: dict[str, Callable[[], web.Response]] = {
            settings.GENERATE_TOKENS: self.grant,
            settings.LOGOUT: lambda: envelope(""),
            settings.PROFILE: lambda: envelope({"clientcode": CREDENTIALS.client_code}),
            settings.FUNDS: lambda: envelope({"net": "1000.5000", "availablecash": "999.9900"}),
            settings.LAST_PRICE: lambda: envelope({"ltp": 187.35}),
        }
        return answers[path]()

    def upgrade(self, request: WSUpgradeRequest) -> "WSUpgradeResponseWithListener | Server":
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.headers.append(headers)
        self.paths.append(request.path.decode())
        if self.handshakes and (status := self.handshakes.pop(0)) != 200:
            if status == 302:
                elsewhere = WSUpgradeResponse.create_redirect_response(
                    302, f"ws://localhost:{self.stream_port}/elsewhere"
                )
                return WSUpgradeResponseWithListener(elsewhere, None)
            return refused(status, f"Invalid Auth Token {headers.get('authorization')}")
        if headers.get("authorization") != f"Bearer {self.jwt}":
            return refused(401, "Invalid Auth Token")
        self.sockets.append(Server(self.mute))
        return self.sockets[-1]


def refused(status: int, why: str) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_error_response(status, b"no", {"x-error-message": why})
    return WSUpgradeResponseWithListener(response, None)


class Server(WSListener):
    """The broker's end of one connection: a packet at each subscription and each ping, unless it is mute."""

    def __init__(self, mute: bool) -> None:
        super().__init__()
        self.mute = mute
        self.texts: list[str] = []
        self.transport: WSTransport | None = None
        self.gone = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002  (picows calls it so)
        self.gone = True

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        said = frame.get_payload_as_utf8_text()
        self.texts.append(said)
        if not self.mute:
            if said == "ping":
                transport.send(WSMsgType.TEXT, "pong")
            transport.send(WSMsgType.BINARY, PACKET)

    @property
    def subscriptions(self) -> list[dict[str, Any]]:
        return [json.loads(said) for said in self.texts if said != "ping"]

    def send(self, payload: bytes) -> None:
        assert self.transport is not None
        self.transport.send(WSMsgType.BINARY, payload)

    def say(self, said: str) -> None:
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, said)

    def drop(self) -> None:
        assert self.transport is not None
        self.transport.disconnect(graceful=False)


@asynccontextmanager
async def fake_broker(server_tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeBroker]:
    broker = FakeBroker(secure=server_tls is not None)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", broker.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls)
    await site.start()
    stream = await ws_create_server(broker.upgrade, "127.0.0.1", 0, ssl=server_tls)
    broker.port = runner.addresses[0][1]
    broker.stream_port = stream.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        for server in broker.sockets:
            if not server.gone:
                server.drop()
        stream.close()
        await stream.wait_closed()
        await runner.cleanup()


class Clock:
    """A monotonic clock that only sleeping moves, so that pauses take no time."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.slept: list[float] = []

    def monotonic_ns(self) -> int:
        return self.now_ns

    async def sleep(self, wait_s: float) -> None:
        self.slept.append(wait_s)
        self.now_ns += round(wait_s * 1e9)
        await asyncio.sleep(0)


@asynccontextmanager
async def connected(
    broker: FakeBroker,
    *,
    credentials: AngelOneCredentials = CREDENTIALS,
    cache: Path | None = None,
    tls: ssl.SSLContext | None = None,
    clock: Clock | None = None,
    endpoints: Endpoints | None = None,
) -> AsyncIterator[AngelOneClient]:
    """Give a client of the fake broker, its pauses skipped."""
    clock = clock or Clock()
    patience = Patience(timeout_s=2.0, connect_timeout_s=1.0)
    async with Http(Redactor(), patience, tls, clock.sleep, Random(7), clock.monotonic_ns) as http:
        yield AngelOneClient(
            http,
            credentials,
            endpoints=endpoints or broker.endpoints,
            cache=TokenCache(cache) if cache is not None else None,
        )
