"""Sessions that trade nothing but look alike: journals that grow by so many ticks a second, with orders, notes and a process that lives.

`python -m bench.journal_writer FOLDER SESSIONS RATE [BEFORE_S]` first writes what they would have journaled in so many seconds before,
says "ready", and writes on until it is ended; its process stands for that of each session.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from myquant.config.loading import load_config
from myquant.core import codes
from myquant.core.records import NO_COMMAND, Command, Event
from myquant.journal import record
from myquant.journal.record import (
    BODY_WORDS,
    COMMAND,
    INPUT,
    NOTE,
    NOTE_VALUES,
    Holding,
    Ledger,
    Note,
    Origin,
    Telemetry,
)
from myquant.journal.writer import JournalWriter
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.session.log import open_log
from myquant.session.log_files import bounds_of
from myquant.strategies.loading import default_strategy

SECOND_NS: Final = 10**9
STEPS: Final = 50  # a second
SEGMENT_RECORDS: Final = 1 << 16
LOT: Final = 75
CYCLE_S: Final = 8  # from one entry to the next
HELD_S: Final = 5  # of these
DENIED_EVERY_S, REJECTED_EVERY_S, CANCELLED_EVERY = 10, 30, 16  # the last: entries that end without a fill
STALE_EVERY_S, STALE_S = 120, 5  # the feed of one session in five
HALTED_FROM_S: Final = 20  # entries of another one in five
FIRST_PAISE: Final = 25_000
STOP_PAISE, TARGET_PAISE = 1500, 1200
BURST_NS: Final = 4 * 10**6  # the ticks of a step come within the last of it
ACK_NS, PART_NS, FILL_NS = 3 * 10**6, 7 * 10**6, 12 * 10**6  # behind the decision: before the next ticks
_PLACES: Final = {name: place for place, name in enumerate((*Event._fields, *Origin._fields))}
_NO_EVENT: Final = Event(*[0] * len(Event._fields))
_NO_ORIGIN: Final = Origin(*[0] * len(Origin._fields))
_NO_TELEMETRY: Final = Telemetry(*[0] * len(Telemetry._fields))
_NO_LEDGER: Final = Ledger(*[0] * len(Ledger._fields))
_NO_HOLDING: Final = Holding(*[0] * len(Holding._fields))


class Now(NamedTuple):
    """A moment by both clocks of the machine, ns."""

    wall_ns: int
    mono_ns: int

    def later(self, ns: int) -> "Now":
        return Now(self.wall_ns + ns, self.mono_ns + ns)


class Written:
    """One session's journal, and what stands in it so far."""

    def __init__(self, folder: Path, seed: int, now: Now) -> None:
        loaded, strategy = load_config(environment={}), default_strategy()
        symbol = f"NIFTY07OCT25{24_000 + 50 * seed}CE"
        archive.create(folder, _facts(folder.name, symbol, loaded.hash, strategy.engine_hash), loaded, strategy)
        self.journal = JournalWriter.create(folder, key=4711 + seed, segment_records=SEGMENT_RECORDS)
        bounds, zone = bounds_of(loaded.config.logs), ZoneInfo(loaded.config.session.timezone)
        self._now = now
        self._log = open_log(
            folder,
            str,
            session=folder.name,
            clock=lambda: self._now.wall_ns,
            bounds=bounds,
            process="session",
            zone=zone,
        )
        self._random = np.random.default_rng(seed)
        self._seed, self._inputs, self._commands, self._orders = seed, 0, 0, 0
        self._price, self._cash, self._peak = FIRST_PAISE, 10_000_000, 10_000_000
        self._stop_id, self._held, self._trades = 0, _NO_HOLDING, 0
        self._is_stale = self._is_halted = False
        self.start(now)

    def start(self, now: Now) -> None:
        """Append that this process goes on with it."""
        self._now = now
        self._note(record.STARTED, os.getpid())
        self._event(codes.FEED_STATUS, code=codes.FEED_HEALTHY)

    def ticks(self, count: int, now: Now) -> None:
        """Append ticks that came just now, a random walk."""
        self._now = now
        if self._is_stale:
            return
        words = np.zeros((count, BODY_WORDS), np.int64)
        prices = np.maximum(self._price + 5 * np.cumsum(self._random.integers(-1, 2, count)), 5_000)
        behind = np.linspace(-BURST_NS, 0, count).astype(np.int64)
        spent = self._random.lognormal(np.log(40_000), 0.6, count)
        spent[self._random.random(count) < 0.001] *= 20
        columns: dict[str, Any] = {
            "kind": codes.TICK,
            "sequence": self._inputs + np.arange(count),
            "time_ns": now.wall_ns + behind - int(self._random.integers(5, 40)) * 10**6,
            "receive_ns": now.wall_ns + behind,
            "price": prices,
            "volume": LOT,
            "bid": prices - 5,
            "ask": prices + 5,
            "arrived_ns": now.mono_ns + behind,
            "decoded_ns": now.mono_ns + behind + self._random.integers(2_000, 9_000, count),
            "connection": 1,
            "spent_ns": spent.astype(np.int64),
        }
        self._append(words, columns)
        self._price = int(prices[-1])

    def _append(self, words: NDArray[np.int64], columns: dict[str, Any]) -> None:
        for name, column in columns.items():
            words[:, _PLACES[name]] = column
        self.journal.append_words(INPUT, words, 0, len(words))
        self._inputs += len(words)

    def second(self, number: int, now: Now) -> None:
        """Append what a session says of itself each second, and now and then an order, a refusal, a fault."""
        self._now = now
        self.journal.reserve()
        self._event(codes.TIMER)
        self._note(record.BEAT, self._inputs, self._inputs, self._commands, now.mono_ns, 10**6, now.wall_ns)
        self._note(record.TELEMETRY, *_NO_TELEMETRY._replace(spent_max_ns=90_000, reference_ns=50_000))
        self._say_account()
        self._trade(number % CYCLE_S)
        self._fail(number)

    def _say_account(self) -> None:
        held = self._held
        equity = self._cash + held.quantity * self._price
        self._peak = max(self._peak, equity)
        ledger = _NO_LEDGER._replace(
            cash=self._cash, equity=equity, day_pnl=equity - 10_000_000, drawdown=self._peak - equity,
            open_value=equity - self._cash, trades=self._trades, positions=self._trades, orders_today=self._orders,
            entries_today=self._trades, funds=-1,
        )  # fmt: skip
        self._note(record.LEDGER, *ledger, code=codes.BY_OPERATOR if self._is_halted else 0)
        if held.quantity:
            highest = max(held.highest, self._price)
            floor = max(held.floor, highest - STOP_PAISE)
            self._held = held._replace(highest=highest, floor=floor, last_price=self._price)
            self._note(record.POSITION, *self._held)

    def _trade(self, second: int) -> None:
        if second == 0 and not self._held.quantity and not self._is_halted:
            self._enter()
        elif second == HELD_S and self._held.quantity:
            self._exit()

    def _enter(self) -> None:
        order_id = self._order(codes.BUY, self._price)
        if order_id % CANCELLED_EVERY == 0:
            self._event(codes.CANCELLED, FILL_NS, order_id=order_id)
            return
        price = self._fill(order_id)
        stop = price - STOP_PAISE
        self._cash -= LOT * price
        self._command(
            codes.POSITION_OPENED, order_id=order_id, position_id=order_id, quantity=LOT, price=price, stop=stop
        )
        self._stop_id = self._order(codes.SELL, stop, stop=stop, reason=codes.STOP_LOSS)
        self._held = _NO_HOLDING._replace(
            position_id=order_id, quantity=LOT, bought=LOT, entry_price=price, opened_ns=self._now.wall_ns,
            cost=LOT * price, stop=stop, floor=stop, highest=price, activation=price + 500,
            target=price + TARGET_PAISE, last_price=price, rests=LOT, trigger=stop,
        )  # fmt: skip
        self._log.info("position opened", order_id=order_id, quantity=LOT, price=price / 100)

    def _exit(self) -> None:
        held = self._held
        self._command(codes.CANCEL, order_id=self._stop_id)
        self._event(codes.CANCELLED, ACK_NS, order_id=self._stop_id)
        order_id = self._order(codes.SELL, self._price, reason=codes.TRAILING_STOP)
        price = self._fill(order_id)
        self._cash, self._held, self._trades = self._cash + LOT * price, _NO_HOLDING, self._trades + 1
        net = LOT * (price - held.entry_price)
        self._command(
            codes.TRADE_CLOSED, order_id=order_id, position_id=held.position_id, trade_id=self._trades, quantity=LOT,
            price=price, net=net, gross=net, entry_price=held.entry_price, reason=codes.TRAILING_STOP,
        )  # fmt: skip
        self._log.info("trade closed", order_id=order_id, quantity=LOT, price=price / 100, net=net / 100)

    def _order(self, side: int, price: int, stop: int = 0, reason: int = 0) -> int:
        """Append an order and its acknowledgement; return its id."""
        self._orders += 1
        self._command(
            codes.SUBMIT, order_id=self._orders, side=side, quantity=LOT, price=price, stop=stop, reason=reason
        )
        self._event(codes.ORDER_ACK, ACK_NS, order_id=self._orders)
        return self._orders

    def _fill(self, order_id: int) -> int:
        """Append the two parts in which an order is filled; return at what price."""
        price = self._price + 5 * int(self._random.integers(-1, 4))
        for units, after_ns in ((LOT // 3, PART_NS), (LOT, FILL_NS)):
            self._event(codes.FILL, after_ns, order_id=order_id, quantity=units, value=units * price)
        return price

    def _fail(self, number: int) -> None:
        if number % DENIED_EVERY_S == 0:
            self._command(
                codes.DENIED, reason=sorted(codes.DENIAL_NAMES)[number // DENIED_EVERY_S % len(codes.DENIAL_NAMES)]
            )
        if number % REJECTED_EVERY_S == 0:
            self._command(codes.TICK_REJECTED, reason=min(codes.REJECTION_NAMES))
            self._log.warning("tick not used", number=number)
        if self._seed % 5 == 3 and number == HALTED_FROM_S:
            self._is_halted = True
            self._event(codes.OPERATOR, code=codes.ASK_HALT)
            self._command(codes.HALTED, reason=codes.BY_OPERATOR)
        is_stale = self._seed % 5 == 4 and number % STALE_EVERY_S >= STALE_EVERY_S - STALE_S
        if is_stale is not self._is_stale:
            self._is_stale = is_stale
            self._event(codes.FEED_STATUS, code=codes.FEED_IS_STALE if is_stale else codes.FEED_HEALTHY)

    def _event(self, kind: int, after_ns: int = 0, **fields: int) -> None:
        now = self._now.later(after_ns)
        event = _NO_EVENT._replace(
            kind=kind, sequence=self._inputs, time_ns=now.wall_ns, receive_ns=now.wall_ns, **fields
        )
        self.journal.append(INPUT, record.Input(event, _NO_ORIGIN._replace(arrived_ns=now.mono_ns)))
        self._inputs += 1

    def _command(self, kind: int, **fields: int) -> None:
        self._commands += 1
        command: Command = NO_COMMAND._replace(
            sequence=self._commands, kind=kind, time_ns=self._now.wall_ns, event_sequence=self._inputs - 1, **fields
        )
        self.journal.append(COMMAND, command)

    def _note(self, kind: int, *values: int, code: int = 0) -> None:
        padded: Any = (*values, *[0] * (NOTE_VALUES - len(values)))
        self.journal.append(NOTE, Note(kind, code, 0, *self._now, padded))


def _facts(name: str, symbol: str, config_hash: str, engine_hash: str) -> SessionFacts:
    return SessionFacts(
        kind="paper",
        name=name,
        broker="angelone",
        symbols=(symbol,),
        exchanges=(None,),
        listed=((LOT, 5),),
        strategy="default",
        strategy_file=None,
        config_hash=config_hash,
        engine_hash=engine_hash,
        key=4711,
        created="2025-10-03T03:00:00+00:00",
    )


def main(folder: Path, sessions: int, rate: int, before_s: int = 0) -> None:
    """Write what was before, then `STEPS` times a second, until the process is ended."""
    began = Now(time.time_ns(), time.monotonic_ns()).later(-before_s * SECOND_NS)
    written = [Written(folder / f"session-{place:02d}", place, began) for place in range(sessions)]
    for number in range(1, before_s + 1):
        now = began.later(number * SECOND_NS)
        for each in written:
            each.ticks(rate, now)
            each.second(number, now)
    for each in written if before_s else ():
        each.start(
            Now(time.time_ns(), time.monotonic_ns())
        )  # else it would seem to be dead: this process is younger than its journal
    print("ready", flush=True)
    begins_s, step = time.monotonic(), 0
    while True:
        step += 1
        now = Now(time.time_ns(), time.monotonic_ns())
        for each in written:
            each.ticks(rate // STEPS, now)
            if step % STEPS == 0:
                each.second(before_s + step // STEPS, now)
        time.sleep(max(0.0, begins_s + step / STEPS - time.monotonic()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
