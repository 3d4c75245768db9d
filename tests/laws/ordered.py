"""What the settings of orders at a broker come to: when its books are looked at, what halts, what its requests say.

The broker's side of a session is played in virtual time on an order port whose books are set; requests are those that the
account's own port writes; the shadow is that of a session as it is wired.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from brokers.order_stage import FakeUpdates, FakeWire, new_order
from laws import wired
from laws.driver import settings
from myquant.brokers.angelone import master, opening
from myquant.brokers.angelone.client import AngelOneClient, Tokens
from myquant.brokers.angelone.master import Picked
from myquant.brokers.port import Books
from myquant.brokers.secrets import Redactor
from myquant.core import codes
from myquant.core.records import Event
from myquant.session.broker_orders import BrokerOrders
from myquant.session.broker_side import BrokerParts, BrokerSide
from session.broker_books import KEY, TOKENS, Port, Records, books, instrument, nothing
from session.supervised import Lines
from session.virtual import VirtualLoop, run_virtually

Values = Mapping[str, Any]
FOR_S: Final = 90
DAY: Final = date(2025, 10, 6)
LOGGED_IN: Final = Tokens("jwt", "refresh", "feed", "2025-10-06", "owner")


class TimedPort(Port):
    """A port whose looks begin when they are asked for; its way to the broker is never there."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__([books(0)])
        self.looked_s: list[float] = []
        self._loop = loop

    async def books(self) -> Books:
        self.looked_s.append(self._loop.time())
        return (await super().books())._replace(begun_ns=self._loop.monotonic_ns())


class Room:
    """The broker's side of a session that holds what the broker's books do not have, for so many seconds.

    Attributes:
        looked_s: when the books were looked at.
        told_s: when the engine was first told of something: of a reason to halt, or by the kind of the event.
    """

    def __init__(self, values: Values) -> None:
        self._loop = VirtualLoop()
        self._records, self._port = Records(values), TimedPort(self._loop)
        self._records.hold(0, 75)
        self.told_s: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as folder:
            run_virtually(self._run(Path(folder)), self._loop)
        self.looked_s = self._port.looked_s

    async def _run(self, folder: Path) -> None:
        clock, host, log = self._loop.monotonic_ns, self._supervisor(), Lines()
        gateway = BrokerOrders(
            self._records.as_engine(),
            self._port,
            [instrument(token) for token in TOKENS],
            SimpleNamespace(holds=lambda: True),
            log,
        )
        host.log, host.clock = log, SimpleNamespace(wall_ns=clock, monotonic_ns=clock)
        loop: Any = SimpleNamespace(
            supervisor=host, later=self._loop.call_soon, guarded=lambda call: call, watch_task=nothing, stop=nothing
        )
        side = BrokerSide(BrokerParts(self._port, gateway, None, folder, KEY, folder), loop)
        side.start()
        for _ in range(FOR_S):
            await asyncio.sleep(1)
            for call in host.each_second:
                call()
        await side.aclose()

    def _supervisor(self) -> Any:
        return SimpleNamespace(
            runner=SimpleNamespace(engine=self._records.as_engine()),
            take=self._take,
            exchange_clock=SimpleNamespace(now_ns=self._loop.monotonic_ns),
            each_second=[],
            telemetry=SimpleNamespace(),
            notes=SimpleNamespace(sent=nothing),
            hold=nothing,
            release=nothing,
        )

    def _take(self, event: Event) -> None:
        name = codes.HALT_NAMES[event.code] if event.kind == codes.ALARM else codes.EVENT_NAMES[event.kind]
        self.told_s.setdefault(name, self._loop.time())
        if event.kind == codes.FOREIGN_TRADE:
            self._records.hold(event.instrument, 0)


def looked_s(values: Values) -> Any:
    return Room(values).looked_s


def told_s(name: str) -> Callable[[Values], Any]:
    """Return the probe that sees when the engine is told of something; None: it is not."""
    return lambda values: Room(values).told_s.get(name)


def placed(values: Values) -> Any:
    """Return product and machine as a request about an order names them."""
    return asyncio.run(asyncio.wait_for(_placed(values), 20))


async def _placed(values: Values) -> Any:
    wire = FakeWire()
    with (
        patch.object(opening, "HttpWire", lambda *_, **__: wire),
        patch.object(
            opening,
            "OrderUpdates",
            lambda _, *, on_row, on_health, on_odd, **__: FakeUpdates(on_row, on_health, on_odd),
        ),
    ):
        account = await opened(values)
        account.client.tokens = LOGGED_IN
        port = account.orders(settings(values).config, KEY)
        port.start()
        port.submit(new_order())
        await port.aclose()
    ((_, body, head),) = wire.written
    sent = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    return body["producttype"], sent["X-ClientPublicIP"], sent["X-ClientLocalIP"], sent["X-MACAddress"]


def dialled(values: Values) -> Any:
    """Return the address of the order-update socket."""

    async def address() -> Any:
        account = await opened(values)
        port: Any = account.orders(settings(values).config, KEY)
        return port._updates._dialler._url

    return asyncio.run(asyncio.wait_for(address(), 20))


async def opened(values: Values) -> opening.OpenAccount:
    """Return the account as a session opens it, without a login."""

    async def no_login(_: AngelOneClient) -> None:
        pass

    async def find(*_: object) -> Picked:
        return Picked((wired.OPTION,), (wired.INDEX,), ())

    http: Any = SimpleNamespace(redactor=Redactor())
    with (
        patch.object(AngelOneClient, "start", no_login),
        patch.object(master, "find", find),
        tempfile.TemporaryDirectory() as folder,
    ):
        return await opening.open_account(
            http, settings(values).config, (wired.OPTION.symbol,), wired.SECRETS, cache=Path(folder), today=DAY
        )


def shadow(values: Values) -> Any:
    """Return what a session says of its shadow; None: it has none."""
    return wired.session({"execution.fill_model": "limit", **values}, Port([books(0)])).shadow
