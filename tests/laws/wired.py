"""A whole session as it is wired, but for the network: what the settings of feed, journal and broker come to.

The account is opened without a login; its feed plays some packets when it is started, lets the supervisor's second pass,
and ends the session.
"""

import asyncio
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from brokers.angelone_wire import Level, Wire, pack
from laws.driver import settings
from myquant import compose
from myquant.brokers.angelone import master, opening
from myquant.brokers.angelone.client import AngelOneClient
from myquant.brokers.angelone.feed import AngelOneFeed
from myquant.brokers.angelone.master import Picked
from myquant.brokers.angelone.settings import AngelOneCredentials
from myquant.brokers.port import BrokerInstrument, Funds, OrderPort
from myquant.brokers.secrets import Redactor
from myquant.core import codes
from myquant.journal.writer import JournalWriter
from myquant.results.record import RunRecord
from myquant.session import archive
from myquant.session.notify import Notifier
from myquant.session.shadow_file import FILE as SHADOW_FILE
from myquant.session.supervisor import Supervisor
from myquant.strategies.loading import default_strategy

Values = Mapping[str, Any]
OPTION: Final = BrokerInstrument("NIFTY", "NFO", "40000", 2, 75, 5)
INDEX: Final = BrokerInstrument("NIFTY 50", "NSE", "99926000", 1, 1, 0)
FIRST_MS: Final = 1_759_725_000_000  # 2025-10-06 10:00 in Asia/Kolkata
AHEAD_MS: Final = 60_000
QUIET_NS: Final = 30 * 10**9
BUYS: Final = {
    "strategy.use_ema_crossover": False,
    "strategy.consecutive_green_bars": 1,
    "strategy.min_warmup_ticks": 1,
    "risk.use_trail_stop": False,
    "results.report": False,
    "journal.segment_mib": 1,
}


@dataclass
class Seen:
    """What a session did.

    Attributes:
        rest, stream, master: the addresses that it asked.
        feed: the broker's feed, as it was wired and not started.
        syncs: how often the journal was made durable.
        read_by: the thread that the feed is read in.
        snapshots: states on disk; segment_bytes: size of a journal file.
        waits: whether a call of its log returned only when the line was written; lines: events in the log, in order.
        files: rows of its files of ticks and decisions, by name; frame: rows of its frame before the end (-1: there is none).
        shadow: its comparison with the simulated exchange; None: there is none.
    """

    rest: str = ""
    stream: str = ""
    master: str = ""
    feed: Any = None
    read_by: str = ""
    syncs: int = 0
    snapshots: int = 0
    segment_bytes: int = 0
    waits: bool = True
    lines: tuple[str, ...] = ()
    files: dict[str, int] = field(default_factory=dict)
    frame: int = -1
    shadow: dict[str, Any] | None = None
    record: RunRecord | None = None


class PlayedFeed:
    """A feed that plays packets at its start and then asks the session to stop."""

    failure = None

    def __init__(self, seen: Seen, on_frame: Any, on_status: Callable[[int, bool, str], None]) -> None:
        self._seen = seen
        self._supervisor: Supervisor = on_frame.__self__.supervisor
        self._on_frame, self._on_status = on_frame, on_status

    def start(self) -> None:
        self._on_status(1, True, "receiving")
        for packet in packets():
            self._on_frame(1, memoryview(packet), time.monotonic_ns())
        pipeline = self._supervisor.pipeline
        if pipeline is not None:
            self._seen.waits = pipeline.log.waits
            self._seen.frame = pipeline.frame().height if pipeline.frames is not None else -1
        self._supervisor._saved_ns -= QUIET_NS
        self._supervisor.on_timer()
        self._supervisor.ask_to_stop()

    async def aclose(self) -> None:
        pass


class StoppingFeed:
    """A feed in another thread, that has the session stopped as an operator would."""

    failure = None

    def start(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    async def aclose(self) -> None:
        pass


def packets() -> list[bytes]:
    """Return ten rising trades, a second apart, and one more that is a minute ahead."""
    return [_packet(number, FIRST_MS + 1000 * number) for number in range(1, 11)] + [_packet(11, FIRST_MS + AHEAD_MS)]


def _packet(number: int, time_ms: int) -> bytes:
    price = 10_000 + 5 * number
    return pack(
        Wire(
            exchange_type=OPTION.exchange_type,
            token=OPTION.token.encode(),
            number=number,
            time_ms=time_ms,
            price=price,
            volume=7500 * number,
            traded_s=time_ms // 1000,
            buys=(Level(1, 750, price - 5, 1), *[Level(1)] * 4),
            sells=(Level(0, 750, price + 5, 1), *[Level(0)] * 4),
            upper_circuit=20_000,
            lower_circuit=5,
        )
    )


def session(values: Values, port: OrderPort | None = None) -> Seen:
    """Run a session of one instrument under some settings; its orders go to a port, if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(asyncio.wait_for(_session(values, Path(folder) / "one", port), 60))


async def _session(values: Values, folder: Path, port: OrderPort | None) -> Seen:
    seen = Seen()
    loaded, strategy = settings({**BUYS, **values}), default_strategy()
    plan = compose.LivePlan("angelone", (OPTION.symbol,), loaded, strategy, folder, {})
    redactor = Redactor()

    async def no_login(_: AngelOneClient) -> None:
        pass

    async def no_funds(_: AngelOneClient) -> Funds:
        return Funds(0, 0)

    async def find(_: object, url: str, *__: object) -> Picked:
        seen.master = url
        return Picked((OPTION,), (INDEX,), ())

    def feed(account: opening.OpenAccount, config: Any, **calls: Any) -> PlayedFeed:
        seen.feed = wired(account, config, **calls)
        seen.read_by = threading.current_thread().name
        return PlayedFeed(seen, calls["on_frame"], calls["on_status"])

    @asynccontextmanager
    async def elsewhere(*_: object) -> AsyncIterator[StoppingFeed]:
        seen.read_by = threading.current_thread().name
        yield StoppingFeed()

    def sync(journal: JournalWriter) -> None:
        seen.syncs += 1
        synced(journal)

    wired, synced = opening.OpenAccount.feed, JournalWriter.sync
    with (
        patch.object(AngelOneClient, "start", no_login),
        patch.object(master, "find", find),
        patch.object(opening.OpenAccount, "feed", feed),
        patch.object(opening.AccountSource, "open", elsewhere),
        patch.object(JournalWriter, "sync", sync),
        patch.object(AngelOneClient, "funds", no_funds),
        patch.object(opening.OpenAccount, "orders", lambda *_: port),
        patch.object(compose, "cache_folder", lambda: folder.parent),
    ):
        http: Any = SimpleNamespace(redactor=redactor)
        account = await opening.open_account(
            http, loaded.config, plan.symbols, SECRETS, cache=folder, today=date(2025, 10, 6)
        )
        facts = compose._facts(plan, account, "paper")
        archive.create(folder, facts, loaded, strategy)
        run = compose._run_paper if port is None else compose._run_live
        left = await run(plan, compose._Opening(facts, account, redactor, lambda: None, Notifier()), lambda _: None)
    seen.record = left.record
    seen.rest, seen.stream = account.client.endpoints.rest, account.client.endpoints.stream
    _look_at(folder, seen)
    return seen


def _look_at(folder: Path, seen: Seen) -> None:
    """Note what a session has left in its folder."""
    seen.files = {path.name: path.read_text().count("\n") - 1 for path in folder.glob("*.csv")}
    seen.lines = tuple(json.loads(line)["event"] for line in (folder / "log.jsonl").read_text().splitlines())
    seen.snapshots = len(list((folder / "snapshots").iterdir()))
    if (folder / SHADOW_FILE).exists():
        seen.shadow = json.loads((folder / SHADOW_FILE).read_text())
    seen.segment_bytes = (folder / "journal" / "000001.seg").stat().st_size


SECRETS: Final = AngelOneCredentials("key", "CLIENT", "1234", "A" * 32)


def addresses(values: Values) -> Any:
    seen = session(values)
    return seen.rest, seen.stream, seen.master


def subscriptions(values: Values) -> Any:
    return connection(values)._subscriptions


def silence_ns(values: Values) -> Any:
    """Return after how much silence a connection is given up, while packets are expected."""
    one = connection(values)
    one._is_expected = True
    return one._due_ns()


def longest_pause_s(values: Values) -> Any:
    """Return the longest of the first pauses between attempts to connect."""
    backoff = connection(values).backoff
    return max(backoff.next_s() for _ in range(200))


def connection(values: Values) -> Any:
    feed: AngelOneFeed = session(values).feed
    return feed.connections[0]


def ticks(values: Values) -> Any:
    """Return how many ticks the engine got."""
    return int(record(values).counts[0, codes.COUNT_TICKS])


def left_open(values: Values) -> Any:
    return len(record(values).open_positions)


def record(values: Values) -> RunRecord:
    found = session(values).record
    assert found is not None
    return found


def syncs(values: Values) -> Any:
    return session(values).syncs


def read_by(values: Values) -> Any:
    return session(values).read_by


def waits(values: Values) -> Any:
    return session(values).waits


def files(values: Values) -> Any:
    return session(values).files


def frame(values: Values) -> Any:
    return session(values).frame


def tick_lines(values: Values) -> Any:
    return session(values).lines.count("tick")


def snapshots(values: Values) -> Any:
    return session(values).snapshots


def segment_bytes(values: Values) -> Any:
    return session(values).segment_bytes
