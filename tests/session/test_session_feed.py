"""A feed that breaks, repeats itself and mixes things up, thousands of times: the engine sees each tick once, in order."""

import asyncio
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.labs import SYMBOL, small_day
from myquant.brokers.angelone.decode import FrameDecoder
from myquant.brokers.angelone.tokens import NO_INSTRUMENT, Token, TokenTable
from myquant.brokers.packets import DUPLICATE, HEARTBEATS, IMPOSSIBLE_PRICE, NOTHING_NEW, OUT_OF_ORDER, QUOTES
from myquant.core import codes
from myquant.journal.disk import DISK
from myquant.lab.angelone.server import AngelOneLab, day_packets
from myquant.session.clock import ExchangeClock
from myquant.session.loop import STOPPING, SessionLoop
from myquant.session.supervisor import Supervisor
from myquant.session.telling import TELL_ALL
from session.sessions import RICH, Session, open_session
from session.stage import assert_forwards, assert_no_entry_while_stale, journal_of
from session.supervised import Lines, SetClock, Supervised, market_inputs, supervised

IST_NS = 19_800 * 10**9
EVENTS = 1000  # disconnections, and as many of each disorder


class Rough:
    """A connection that treats a day's packets badly: what it hands over, a supervisor takes."""

    def __init__(self, folder: Path, packets: list[bytes], rng: np.random.Generator) -> None:
        lab = AngelOneLab(small_day(3))
        tokens = [Token(*lab.token_of(SYMBOL), 0), Token(*lab.token_of("NIFTY"), NO_INSTRUMENT)]
        self.session: Session = open_session(folder, RICH, segment_records=4096)
        self.clock = SetClock()
        self.decoder = FrameDecoder(TokenTable(tokens), IST_NS, 120 * 10**9)
        self.supervisor = Supervisor(
            self.session.runner,
            self.session.journal,
            [self.decoder],
            self.clock,
            ExchangeClock(self.clock, self.decoder.clock),
            Lines(),
            save=self.session.save,
            snapshot_interval_ns=3600 * 10**9,
            durable_orders=False,
        )
        self.packets, self.rng = packets, rng
        self.done = {"disconnect": 0, "duplicate": 0, "reorder": 0, "lose": 0}

    def play(self) -> None:
        supervisor, rng = self.supervisor, self.rng
        supervisor.started(1)
        supervisor.start()
        supervisor.on_status(1, True, "receiving")
        share = 1.1 * EVENTS / len(self.packets)
        for at in range(len(self.packets)):
            draw = rng.random()
            if draw < share:
                self._disconnect(at)
            elif draw < 2 * share:
                self._note("duplicate")
                self._hand(at)
            elif draw < 3 * share:
                self._note("reorder")
                self._hand(min(at + 1 + int(rng.integers(0, 5)), len(self.packets) - 1))
            elif draw < 4 * share:
                self._note("lose")
                continue
            self._hand(at)
            if at % 50 == 0:
                supervisor.on_timer()

    def _disconnect(self, at: int) -> None:
        """Break off, and come back with what was last known of the instruments."""
        self._note("disconnect")
        self.supervisor.on_status(1, False, "dropped")
        self.supervisor.on_timer()
        for back in range(max(0, at - int(self.rng.integers(1, 6))), at):
            self._hand(back)
        self.supervisor.on_status(1, True, "receiving")

    def _note(self, what: str) -> None:
        self.done[what] += 1

    def _hand(self, at: int) -> None:
        packet = self.packets[at]
        self.clock.now_ns = max(self.clock.now_ns, int.from_bytes(packet[35:43], "little") * 10**6)
        self.supervisor.on_frame(1, memoryview(packet), self.clock.now_ns)


@pytest.fixture(scope="module")
def packets() -> list[bytes]:
    return day_packets(small_day(12_000))


@pytest.mark.parametrize("seed", range(3))
def test_no_tick_goes_back_or_comes_twice(tmp_path: Path, seed: int, packets: list[bytes]) -> None:
    rough = Rough(tmp_path / "s", packets, np.random.default_rng(seed))
    rough.play()
    assert min(rough.done.values()) >= 0.95 * EVENTS, rough.done
    journal = journal_of(rough.session.folder)
    assert_forwards(journal)
    assert_no_entry_while_stale(journal)
    stale = journal.feed_notes()
    assert stale.count(False) == rough.done["disconnect"]
    is_tick = journal.events["kind"] == 1
    total: Any = journal.origins[is_tick]["total_volume"]
    before, after = total[:-1], total[1:]
    np.testing.assert_array_equal(journal.events[is_tick]["volume"][1:], after - before)  # nothing counted twice
    counts = dict(zip(*np.unique(journal.events["kind"], return_counts=True), strict=True))
    assert counts[1] > 0.6 * 12_000
    state = rough.session.state()
    rough.session.journal.close()
    again = open_session(rough.session.folder, RICH)
    assert again.state() == state
    again.journal.close()


def test_a_feed_of_which_nothing_can_be_used_is_stale(tmp_path: Path) -> None:
    """Such as one whose clock has gone back: packets come, and none of them is any good."""
    stage = supervised(tmp_path / "s", RICH, market_inputs(3, 100), DISK)
    stage.take(20)
    assert not stage.supervisor.feed.stale
    stage.tape.counts[IMPOSSIBLE_PRICE] += 100  # long ago
    take_ticks(stage)
    stage.supervisor.on_timer()
    for second in range(7):
        stage.tape.counts[OUT_OF_ORDER] += 3
        stage.tape.counts[HEARTBEATS] += 1
        assert stage.supervisor.feed.stale == (second >= 5)
        stage.supervisor.on_timer()
    assert stage.supervisor.feed.reason == "nothing of it is used: packets are refused, mostly out_of_order"
    assert any("nothing of it is used" in line for line in stage.log.of("warning"))
    take_ticks(stage)
    stage.supervisor.on_timer()
    assert not stage.supervisor.feed.stale
    stage.session.journal.close()


def take_ticks(stage: Supervised) -> None:
    """Take frames until there was a tick among them that the engine took."""
    counts = stage.session.engine.instruments["counts"]
    before = counts[:, codes.COUNT_TICKS].sum()
    stage.take_until(lambda: counts[:, codes.COUNT_TICKS].sum() > before)


@pytest.mark.parametrize("has_quotes", [False, True])
def test_a_day_that_begins_anew_is_of_no_use(tmp_path: Path, has_quotes: bool) -> None:
    """The engine refuses ticks of times that were, though the feed, which has begun anew, has nothing against them."""
    inputs = market_inputs(3, 200)
    stage = supervised(tmp_path / "s", RICH, inputs[inputs[:, 0] == codes.TICK], DISK)
    stage.take(100)
    for second in range(7):
        assert stage.supervisor.feed.stale == (second >= 5)
        if second % 2 == 0 or not has_quotes:
            stage.supervisor.on_frame(1, *stage.tape.frame(second))
        else:
            stage.tape.counts[OUT_OF_ORDER] += 1
        stage.tape.counts[HEARTBEATS] += 5  # of an index
        stage.tape.counts[QUOTES] += has_quotes  # the engine takes them whatever their time is
        stage.supervisor.on_timer()
    assert stage.supervisor.feed.reason == "nothing of it is used: packets are refused, mostly time_backwards"
    take_ticks(stage)
    stage.supervisor.on_timer()
    assert not stage.supervisor.feed.stale
    stage.session.journal.close()


@pytest.mark.parametrize("everyday", [DUPLICATE, NOTHING_NEW, HEARTBEATS, QUOTES])
def test_a_quiet_instrument_makes_no_feed_stale(tmp_path: Path, everyday: int) -> None:
    stage = supervised(tmp_path / "s", RICH, market_inputs(3, 100), DISK)
    stage.take(20)
    for second in range(60):
        stage.tape.counts[everyday] += 3
        stage.tape.counts[OUT_OF_ORDER] += everyday in (QUOTES, HEARTBEATS) or second < 4  # now and then
        stage.supervisor.on_timer()
        assert not stage.supervisor.feed.stale
    stage.session.journal.close()


def test_lines_of_orders_wait_and_come_in_their_order(tmp_path: Path) -> None:
    waiting: list[Callable[[], None]] = []
    at_once, stage = (supervised(tmp_path / name, RICH, market_inputs(8, 1500), DISK) for name in "as")
    stage.supervisor.later = waiting.append
    for each in (at_once, stage):
        each.take(1000)
    told = told_of_orders(at_once)
    assert len(told) > 10
    assert told_of_orders(stage) == []
    for _ in range(3):
        assert len(waiting) == 1  # never more than one call at a time
        before = len(told_of_orders(stage))
        waiting.pop()()
        after = before + math.ceil((len(told) - before) / TELL_ALL)
        assert told_of_orders(stage) == told[:after]
    stage.supervisor.tell_at_once()
    assert told_of_orders(stage) == told
    waiting.pop()()  # asked for before: nothing is left to tell
    for each in (at_once, stage):
        each.take(500)
        each.session.journal.close()
    assert told_of_orders(stage) == told_of_orders(at_once) != told
    assert waiting == []


def told_of_orders(stage: Supervised) -> list[tuple[str, str, dict[str, Any]]]:
    return [line for line in stage.log.lines if "order" in line[2]]


class TapeFeed:
    """A feed that plays a tape's frames, a few at a time."""

    failure = None

    def __init__(self, stage: Supervised, loop: SessionLoop) -> None:
        self._stage, self._loop = stage, loop
        self.is_closed = False

    def start(self) -> None:
        self._playing = asyncio.ensure_future(self._play())

    async def _play(self) -> None:
        stage = self._stage
        stage.supervisor.event(codes.FEED_STATUS, codes.FEED_HEALTHY)  # the session began with none
        for number in range(len(stage.tape.inputs)):
            self._loop.on_frame(1, *stage.tape.frame(number))
            if number % 20 == 0:
                await asyncio.sleep(0.001)

    async def aclose(self) -> None:
        self._playing.cancel()
        self.is_closed = True


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_line_that_can_not_be_made_ends_the_session_and_says_so(tmp_path: Path, is_broken: bool) -> None:
    stage = supervised(tmp_path / "s", RICH, market_inputs(8, 1500), DISK)
    told = stage.log.info

    def info(event: str, **fields: Any) -> None:
        if is_broken and "order" in fields:
            raise RuntimeError("a defect")
        told(event, **fields)

    stage.log.info = info  # type: ignore[method-assign]
    loop = SessionLoop(
        stage.supervisor, tmp_path / "s", "s", lambda _: None, flatten_on_stop=False, hide=lambda _: None
    )
    feed = TapeFeed(stage, loop)

    async def run() -> int:
        asyncio.get_running_loop().call_later(1.5, stage.supervisor.ask_to_stop)
        return await asyncio.wait_for(loop.run(feed), 20)

    before = {number: signal.getsignal(number) for number in STOPPING}
    try:
        if is_broken:
            with pytest.raises(RuntimeError, match="a defect"):
                asyncio.run(run())
            assert any("the session failed" in line for line in stage.log.of("error"))
        else:
            assert asyncio.run(run()) == 0
            assert len(told_of_orders(stage)) > 10
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert feed.is_closed
    stage.session.journal.close()
