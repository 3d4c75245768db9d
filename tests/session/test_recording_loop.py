"""The recorder's days: when they begin and end, what is opened for them, and what ends it all."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from myquant.brokers.packets import COUNTS, DUPLICATE, TICKED
from myquant.brokers.port import Remedy, RequestError
from myquant.config.loading import load_config
from myquant.core import codes
from myquant.core.records import Event
from myquant.errors import BrokerError, DataError
from myquant.journal.disk import DISK
from myquant.journal.record import Input, Origin
from myquant.session import recording_loop
from myquant.session.recording import Recording
from myquant.session.recording_feed import OpenDay, RecordedFeed
from myquant.session.recording_loop import Recorded, RecordingLoop
from myquant.ticks.batch import InstrumentName
from session.supervised import Lines

IST_NS = 19_800 * 10**9
MINUTE_NS = 60 * 10**9
THIS_WEEK, NEXT_WEEK = "NIFTY07OCT2524900CE", "NIFTY14OCT2524900CE"


class Racing:
    """Clocks that go on by five minutes whenever the wall's is looked at."""

    def __init__(self, begin: datetime) -> None:
        self.now_ns = int(begin.timestamp()) * 10**9

    def wall_ns(self) -> int:
        self.now_ns += 5 * MINUTE_NS
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns


class FakeDecoder:
    """A decoder whose every frame is a tick of the first instrument; it knows the exchange's time from the first on."""

    def __init__(self, clock: Racing) -> None:
        self.words = np.zeros((1, 21), np.int64)
        self.counts = np.zeros(COUNTS, np.int64)
        self.counts[DUPLICATE] = 3
        self.tokens = SimpleNamespace(rows={0: 0})
        self.recalled: list[Input] = []
        self._clock, self._known = clock, False

    def take(self, payload: memoryview, arrived_ns: int, wall_ns: int) -> int:
        del payload, arrived_ns
        event = Event(codes.TICK, 0, 0, wall_ns, wall_ns, 20_005, 75, 0, 0, 0, 0, 0, 0)
        self.words[0] = [*event, *Origin(0, 0, 75, wall_ns, 0, 1, 0, 0)]
        self._known = True
        return TICKED

    def connect(self, number: int) -> None:
        assert number > 0

    def recall(self, last: Input) -> None:
        self.recalled.append(last)

    def clock(self) -> tuple[int, int]:
        return (self._clock.now_ns, self._clock.now_ns) if self._known else (0, 0)


class FakeFeed:
    """A feed that brings one tick, and then may give up."""

    def __init__(self, watched: RecordedFeed, failure: BrokerError | None = None) -> None:
        self.failure = failure
        self._watched = watched

    def start(self) -> None:
        self._watched.on_status(1, False, "not connected yet")
        self._watched.on_frame(1, memoryview(b""), 0)
        self._watched.on_status(1, True, "receiving")

    async def aclose(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_loop, "TIMER_S", 0.0005)
    monkeypatch.setattr(recording_loop, "RETRY_S", 0.0005)


class Broker:
    """Accounts to be opened."""

    def __init__(self, clock: Racing) -> None:
        self.clock = clock
        self.opened: list[tuple[str, Sequence[str]]] = []
        self.refusals: dict[int, RequestError] = {}  # by the number of the attempt, from 1
        self.failure: BrokerError | None = None
        self.decoders: list[FakeDecoder] = []
        self.attempts = 0

    async def open_day(self, symbols: Sequence[str], on: date) -> OpenDay:
        await asyncio.sleep(0)
        self.attempts += 1
        if self.attempts in self.refusals:
            raise self.refusals[self.attempts]
        local = datetime.fromtimestamp((self.clock.now_ns + IST_NS) // 10**9, UTC)
        assert local.date() == on
        self.opened.append((f"{local:%d %H:%M}", tuple(symbols)))
        names = tuple(InstrumentName(symbol, "NFO") for symbol in symbols)
        self.decoders.append(FakeDecoder(self.clock))
        return OpenDay(names, (), self.decoders[-1:], lambda watched: FakeFeed(watched, self.failure))


def recorded(broker: Broker, folder: Path, log: Lines | None = None) -> Recorded:
    config = load_config().config
    recording = Recording(folder, IST_NS, DISK)

    async def scenario() -> Recorded:
        symbols = (THIS_WEEK, NEXT_WEEK)
        loop = RecordingLoop(recording, symbols, broker.open_day, config, broker.clock, log or Lines())
        return await asyncio.wait_for(loop.run(), 20)

    try:
        return asyncio.run(scenario())
    finally:
        recording.close()


def test_each_trading_day_is_opened_anew_until_all_have_expired(tmp_path: Path) -> None:
    lines = Lines()
    broker = Broker(Racing(datetime(2025, 10, 3, 5, 0, tzinfo=UTC)))  # a Friday, in mid session
    done = recorded(broker, tmp_path, lines)
    assert [(int(time[:2]), len(symbols)) for time, symbols in broker.opened] == [
        *((day, 2) for day in (3, 6, 7)),
        *((day, 1) for day in (8, 9, 10, 13, 14)),
    ]
    assert all("08:55" <= time[3:] < "09:30" for time, _ in broker.opened[1:])  # the clock has long steps
    assert broker.opened[-1][1] == (NEXT_WEEK,)
    assert done == Recorded(ticks=8, quotes=0, dropped=0, waiting=0, gaps=done.gaps, unused={"duplicate": 24})
    files = sorted(path.name for path in tmp_path.glob("2025*"))
    assert files == [f"2025-10-{day:02}.parquet" for day in (3, 6, 7, 8, 9, 10, 13, 14)]
    assert pl.read_parquet(tmp_path / files[-1])["symbol"].to_list() == [NEXT_WEEK]
    assert lines.lines.count(("info", "the day is over", {"next": "2025-10-06 08:55"})) == 1
    assert ("info", "expired, not recorded any more", {"symbols": [THIS_WEEK]}) in lines.lines
    so_far = [fields for _, event, fields in lines.lines if event == "recorded"]
    assert (so_far[0]["ticks"], so_far[0]["new"], so_far[0]["feed"]) == (1, 1, "healthy")
    assert {"day", "part", "waiting"} <= so_far[0].keys()
    assert not {"dropped", "trouble"} & so_far[0].keys()
    assert all(not decoder.recalled for decoder in broker.decoders)


def test_a_restart_goes_on_from_the_last_tick(tmp_path: Path) -> None:
    first = Broker(Racing(datetime(2025, 10, 14, 5, 0, tzinfo=UTC)))
    recorded(first, tmp_path)
    second = Broker(Racing(datetime(2025, 10, 14, 6, 0, tzinfo=UTC)))
    recorded(second, tmp_path)
    assert [last.event.price for last in second.decoders[0].recalled] == [20_005]
    times = pl.read_parquet(tmp_path / "2025-10-14.parquet")["timestamp"].cast(pl.Int64).to_list()
    assert len(times) == 2
    assert second.decoders[0].recalled[0].event.time_ns == times[0]
    assert '"reason": "not recording"' in (tmp_path / "gaps.jsonl").read_text()


def test_a_login_that_fails_in_the_morning_is_tried_again(tmp_path: Path) -> None:
    lines = Lines()
    broker = Broker(Racing(datetime(2025, 10, 13, 5, 0, tzinfo=UTC)))
    broker.refusals[2] = RequestError("broker", "login", "no answer", Remedy.RETRY)
    recorded(broker, tmp_path, lines)
    (failed,) = [fields for _, event, fields in lines.lines if event == "the account can't be opened"]
    assert "login failed: no answer" in failed["error"]
    assert failed["again_in_s"] == recording_loop.RETRY_S
    assert len(broker.opened) == 2


@pytest.mark.parametrize(("attempt", "remedy"), [(1, Remedy.RETRY), (2, Remedy.STOP)])
def test_a_login_that_can_not_be_mended_ends_it(tmp_path: Path, attempt: int, remedy: Remedy) -> None:
    broker = Broker(Racing(datetime(2025, 10, 13, 5, 0, tzinfo=UTC)))
    broker.refusals[attempt] = RequestError("broker", "login", "wrong PIN", remedy)
    with pytest.raises(BrokerError, match="wrong PIN"):
        recorded(broker, tmp_path)
    assert len(list(tmp_path.glob("2025*.parquet"))) == attempt - 1


def test_a_feed_that_gives_up_ends_it_with_everything_on_disk(tmp_path: Path) -> None:
    broker = Broker(Racing(datetime(2025, 10, 13, 5, 0, tzinfo=UTC)))
    broker.failure = BrokerError("the account is locked")
    with pytest.raises(BrokerError, match="the account is locked"):
        recorded(broker, tmp_path)
    assert len(pl.read_parquet(tmp_path / "2025-10-13.parquet")) == 1


def test_days_that_no_calendar_knows_are_an_error(tmp_path: Path) -> None:
    broker = Broker(Racing(datetime(2050, 1, 3, 5, 0, tzinfo=UTC)))
    with pytest.raises(DataError, match="the calendar knows no trading day within 30 days"):
        recorded(broker, tmp_path)
