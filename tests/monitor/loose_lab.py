"""A lab in a thread of the test, whose faults a test switches on and off while a session trades there."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final, TypeVar

import numpy as np

from monitor.drill import TICKS_A_SECOND, VOLUME, prices
from myquant.lab.angelone.account import ENVIRONMENT
from myquant.lab.angelone.faults import NO_FAULTS, Faults
from myquant.lab.angelone.orders import Order
from myquant.lab.angelone.server import AngelOneLab
from myquant.lab.market_day import MarketDay, market_day
from myquant.ticks.batch import InstrumentName
from session.stage import DAY, OPENS_NS, SECOND_NS, SYMBOL

WAIT_S: Final = 30.0
SPEED: Final = 4.0
TICKS: Final = 36_000

Result = TypeVar("Result")


class LooseLab:
    """A lab at work. `environ` is what a session on it needs."""

    def __init__(self, lab: AngelOneLab, loop: asyncio.AbstractEventLoop) -> None:
        self._lab, self._loop = lab, loop
        urls = {"REST": lab.rest_url, "STREAM": lab.feed_url, "MASTER": lab.master_url, "UPDATE": lab.update_url}
        secrets = {variable: str(getattr(lab.credentials, name)) for name, variable in ENVIRONMENT.items()}
        self.environ = secrets | {f"MYQUANT_ANGELONE__{name}_URL": url for name, url in urls.items()}

    def within(self, look: Callable[[], Result]) -> Result:
        """Return what a call in the lab's own thread returns."""

        async def call() -> Result:
            return look()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(WAIT_S)

    def make(self, faults: Faults = NO_FAULTS) -> None:
        """Make these faults of requests and orders from now on, and no others."""

        def change() -> None:
            self._lab.orders._faults = self._lab.orders._chance.faults = faults

        self.within(change)

    def cancel_stops(self) -> int:
        """Cancel what protects, as a person would at the broker's own screen; return when (the machine's clock, ns)."""

        def cancel() -> None:
            for each in self._stops():
                self._lab.orders.book.cancel(each, time.time_ns())

        self.within(cancel)
        return time.time_ns()

    def is_protected(self) -> bool:
        """Return whether as much is held as the stop orders would sell."""
        return self.within(lambda: 0 < self._held() == sum(each.left for each in self._stops()))

    def trade(self, units: int) -> int:
        """Buy units (or sell, negative) from the user's phone; return when (the machine's clock, ns)."""

        def trade() -> bool:
            (token,) = (
                token for token, each in self._lab.orders.book.tradables.items() if each.listed.symbol == SYMBOL
            )
            return self._lab.orders.manual_trade(token, units) is not None

        assert self.within(trade)
        return time.time_ns()

    def _held(self) -> int:
        return sum(each.net for each in self._lab.orders.book.positions.values())

    def _stops(self) -> list[Order]:
        return [each for each in self._lab.orders.book.orders if each.is_working and each.trigger and each.side < 0]


@contextmanager
def loose_lab() -> Iterator[LooseLab]:
    """Serve a day of waves."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="lab", daemon=True)
    thread.start()

    def wait(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(WAIT_S)

    async def start() -> AngelOneLab:
        lab = AngelOneLab(_day(), speed=SPEED)
        await lab.start()
        return lab

    lab = wait(start())
    try:
        yield LooseLab(lab, loop)
    finally:
        wait(lab.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _day() -> MarketDay:
    price = prices(TICKS)
    time_ns = OPENS_NS + np.arange(TICKS, dtype=np.int64) * (SECOND_NS // TICKS_A_SECOND)
    volume = np.full(TICKS, VOLUME, np.int64)
    return market_day(DAY, [InstrumentName(SYMBOL)], time_ns, price, volume, price - 5, price + 5, 0 * price)
