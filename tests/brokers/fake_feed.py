"""A feed of a fake broker's at work, and what it says."""

import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Final

from brokers.fake_angelone import NIFTY, OPTION
from myquant.brokers.angelone.client import AngelOneClient
from myquant.brokers.angelone.feed import AngelOneFeed
from myquant.brokers.port import BrokerInstrument
from myquant.brokers.supervised import Timing

QUICK: Final = Timing(
    stall_s=3.0,
    patience_s=4.0,
    ping_s=0.1,
    connect_s=0.5,
    steady_s=0.5,
    backoff_s=0.01,
    backoff_max_s=0.05,
    too_many_s=0.02,
)
SHORT: Final = replace(QUICK, stall_s=0.3, patience_s=0.4)  # of those that wait for silence to be found


def many(count: int) -> list[BrokerInstrument]:
    return [replace(OPTION, symbol=f"S{number}", token=str(40_000 + number)) for number in range(count)]


class Watcher:
    """What a feed says: frames and changes of state, in order."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes, int]] = []
        self.changes: list[tuple[int, bool, str]] = []
        self.texts: list[tuple[int, str]] = []
        self.lags: list[int] = []
        self.fault: Exception | None = None
        self.raised = 0
        self.busy_s = 0.0  # how long each frame takes

    def on_frame(self, connection: int, payload: memoryview, arrived_ns: int) -> None:
        if self.fault is not None:
            self.raised += 1
            raise self.fault
        time.sleep(self.busy_s)
        self.frames.append((connection, bytes(payload), arrived_ns))

    def on_status(self, connection: int, healthy: bool, reason: str) -> None:
        self.changes.append((connection, healthy, reason))

    def on_text(self, connection: int, said: str) -> None:
        self.texts.append((connection, said))

    def healthy(self, connection: int = 1) -> bool:
        return next((healthy for number, healthy, _ in reversed(self.changes) if number == connection), False)


@asynccontextmanager
async def feeding(
    client: AngelOneClient,
    watcher: Watcher,
    *instruments: BrokerInstrument,
    timing: Timing = QUICK,
    expects_data: Callable[[], bool] = lambda: True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[AngelOneFeed]:
    """Give a feed at work, which ends with the block."""
    feed = AngelOneFeed(
        client,
        instruments or (OPTION,),
        (NIFTY,),
        mode="snap_quote",
        on_frame=watcher.on_frame,
        on_status=watcher.on_status,
        on_text=watcher.on_text,
        on_slow=watcher.lags.append,
        expects_data=expects_data,
        timing=timing,
        ssl_context=tls,
        rng=Random(11),
    )
    feed.start()
    try:
        yield feed
    finally:
        await feed.aclose()


def alternates(watcher: Watcher, connection: int = 1) -> bool:
    """Return whether a connection started as stale and was told of once per change."""
    told = [healthy for number, healthy, _ in watcher.changes if number == connection]
    return told == [bool(at % 2) for at in range(len(told))]
