"""The lab's Angel One as one object: REST service, feed and order updates on loopback, and the day that they tell of."""

import asyncio
import contextlib
import ipaddress
import ssl
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from picows import WSListener, WSUpgradeRequest, WSUpgradeResponseWithListener, ws_create_server

from myquant.errors import ConfigError, DataError
from myquant.lab.angelone.account import Account, Clock, Credentials
from myquant.lab.angelone.day import day_of
from myquant.lab.angelone.disturb import disturbed, frames_of
from myquant.lab.angelone.faults import NO_FAULTS, Faults
from myquant.lab.angelone.feed import Feed
from myquant.lab.angelone.instruments import Listed, others
from myquant.lab.angelone.order_market import Market, tradables_of
from myquant.lab.angelone.order_rest import OrderRest
from myquant.lab.angelone.order_service import OrderService, Terms
from myquant.lab.angelone.packet import SNAP_QUOTE
from myquant.lab.angelone.play import Play
from myquant.lab.angelone.relay import Relay
from myquant.lab.angelone.rest import MASTER_PATH, Price, Rest
from myquant.lab.angelone.subscription import FEED_PATH
from myquant.lab.angelone.updates import UPDATE_PATH, Updates
from myquant.lab.market_day import MarketDay

LOOPBACK: Final = "127.0.0.1"
IDLE_PRICE: Final = Price(100_00, 100_00, 100_00, 100_00, 100_00)  # of what is listed and does not tick


class AngelOneLab:
    """A local Angel One; `async with` starts and stops it.

    `speed` is how many times as fast as it was the day is played, None: as fast as clients take it. `clock` (ns since
    the epoch) is that of tokens, TOTP, rate limits and orders. With `ssl_context` the addresses are https and wss. Beside
    the broker's paths the REST address has `GET /lab/counts`, `GET /lab/about`, `POST /lab/roll`, `POST /lab/drop` (the feed) and `POST
    /lab/drop_updates`, and those of `order_rest`. `orders` is the order service, with its oracle. Raises ConfigError for a
    host that is not loopback, and for a port that is taken.
    """

    def __init__(
        self,
        ticks: MarketDay,
        *,
        speed: float | None = None,
        faults: Faults = NO_FAULTS,
        credentials: Credentials = Credentials(),  # noqa: B008  (immutable)
        terms: Terms = Terms(),  # noqa: B008  (likewise)
        host: str = LOOPBACK,
        port: int = 0,
        feed_port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        clock: Clock = time.time_ns,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ConfigError(f"the lab serves on loopback only, not on {host}")
        self.credentials = credentials
        self.counts: Counter[str] = Counter()
        self.day = disturbed(day_of(ticks), faults)
        self.listed: tuple[Listed, ...] = (*self.day.instruments, *others(self.day.instruments))
        self._faults, self._ssl = faults, ssl_context
        self._host, self._ports = host, (port, feed_port)
        self._account = Account(credentials, clock)
        self._play = Play(self.day, speed, faults.seed, self.counts)
        self._feed = Feed(self._account, self._play, faults, self.counts)
        self._rest = Rest(self._account, self.listed, self._price_of, faults, self.counts, clock)
        self._updates = Updates(self._account, self.counts)
        self._about = {"day": f"{ticks.day}", "static_ip": terms.static_ip}
        self.orders = OrderService(
            tradables_of(self.day, ticks.contracts, self.listed[len(self.day.instruments) :]),
            clock,
            _call_later,
            terms=terms,
            faults=faults,
            counts=self.counts,
            account=self._account,
        )
        self.orders.listeners.append(self._updates.push)
        self._order_rest = OrderRest(self.orders)
        self._play.listeners.append(Market(self.day, self.orders))
        self._playing: asyncio.Task[None] | None = None
        self._relay: Relay | None = None
        self._stops: list[Callable[[], object]] = []

    async def __aenter__(self) -> Self:
        """Start both servers and the play."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Listen, and play the day from the first subscription on."""
        app = self._rest.application()
        self._order_rest.add_to(app)
        app.router.add_get("/lab/counts", self._send_counts)
        app.router.add_get("/lab/about", self._send_about)
        app.router.add_post("/lab/roll", self._answer_roll)
        app.router.add_post("/lab/drop", self._answer_drop)
        app.router.add_post("/lab/drop_updates", self._answer_drop_updates)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        port, feed_port = self._ports
        try:
            await web.TCPSite(self._runner, self._host, port, ssl_context=self._ssl).start()
            feed_port = await self._start_feed(feed_port)
        except OSError as error:
            await self.stop()
            taken = f"{port} or {feed_port}" if port and feed_port else f"{port or feed_port}"
            raise ConfigError(
                f"the lab can't listen on port {taken} of {self._host} ({error.strerror}); choose others with --port and --feed-port"
            ) from error
        secure = "s" if self._ssl else ""
        address = f"[{self._host}]" if ":" in self._host else self._host
        self.rest_url = f"http{secure}://{address}:{self._runner.addresses[0][1]}"
        self.feed_url = f"ws{secure}://{address}:{feed_port}{FEED_PATH}"
        self.update_url = f"ws{secure}://{address}:{feed_port}{UPDATE_PATH}"
        self.master_url = self.rest_url + MASTER_PATH
        self._playing = asyncio.create_task(self._play.run())
        self._stops.append(self._playing.cancel)

    async def stop(self) -> None:
        """Close everything."""
        for stop in self._stops:
            stop()
        self._stops.clear()
        self._feed.close_all()
        self._updates.close_all()
        self._order_rest.hang_up()
        if self._relay is not None:
            await self._relay.stop()
        await self._runner.cleanup()
        if self._playing is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._playing

    async def finished(self) -> None:
        """Wait until the last packet of the day was sent; raises what ended the play, if something did."""
        if self._playing is not None:
            await asyncio.shield(self._playing)

    def token_of(self, symbol: str) -> tuple[int, str]:
        """Return exchange type and token of a trading symbol, or of an index by its name; DataError: not listed."""
        for each in self.listed:
            if symbol == (each.name if each.is_index else each.symbol):
                return each.exchange_type, each.token
        raise DataError(f"{symbol} is not in the lab's instrument master")

    def roll(self) -> None:
        """Make all tokens invalid but those for a refresh, and close all sockets."""
        self._feed.roll()
        self._updates.close_all()

    def drop(self) -> None:
        """Cut off every connection of the feed."""
        self._feed.close_all()

    def drop_updates(self) -> None:
        """Cut off every connection that order updates go to."""
        self._updates.close_all()

    async def _start_feed(self, port: int) -> int:
        slow = self._faults.slow_handshake
        server = await ws_create_server(self._handshake, self._host, 0 if slow else port, ssl=self._ssl)
        self._stops.append(server.close)
        feed_port: int = server.sockets[0].getsockname()[1]
        if slow is None:
            return feed_port
        self._relay = Relay(slow, self.counts, self._host, feed_port)
        return await self._relay.start(port)

    def _handshake(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener | WSListener | None:
        is_updates = request.path.decode("ascii", "replace").partition("?")[0] == UPDATE_PATH
        return self._updates.handshake(request) if is_updates else self._feed.handshake(request)

    def _price_of(self, each: Listed) -> Price | None:
        who = self._feed.who.get((each.exchange_type, each.token))
        if who is None:
            return IDLE_PRICE
        row = self._play.state(who)[0]
        last, opened, high, low = (int(row[name]) for name in ("price", "open", "high", "low"))
        return Price(last, opened, high, low, int(self.day.static["close"][who]))

    async def _send_counts(self, _request: web.Request) -> web.Response:
        return web.json_response({**self.counts, "rows_played": self._play.at, "rows": len(self.day.rows)})

    async def _send_about(self, _request: web.Request) -> web.Response:
        """Tell which day is played, and the address that orders must name (empty: any), which no broker would."""
        return web.json_response(self._about)

    async def _answer_roll(self, _request: web.Request) -> web.Response:
        self.roll()
        return web.Response()

    async def _answer_drop_updates(self, _request: web.Request) -> web.Response:
        self.drop_updates()
        return web.Response()

    async def _answer_drop(self, _request: web.Request) -> web.Response:
        self.drop()
        return web.Response()


def _call_later(seconds: float, function: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, function)


def day_packets(ticks: MarketDay, *, mode: int = SNAP_QUOTE, faults: Faults = NO_FAULTS) -> list[bytes]:
    """Return all packets of a day in a mode, in order, faults of the stream included.

    It is what a client gets that subscribed to everything in time, without the snapshots at its subscription.
    """
    day = disturbed(day_of(ticks), faults)
    found: list[bytes] = []
    for begin in range(0, len(day.rows), 4096):
        rows = day.rows[begin : begin + 4096]
        found += [_payload(frame) for frame in frames_of(day, rows, begin, mode, faults.seed) if frame]
    return found


def _payload(frame: bytes) -> bytes:
    return frame[4:] if frame[1] == 126 else frame[2:]
