"""Sessions that trade nothing but look alike: journals that grow by so many ticks a second, with orders, notes and a process that lives.

`python -m bench.journal_writer FOLDER SESSIONS RATE` writes until it is ended; its process stands for that of each session.
"""

import os
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from myquant.config.loading import load_config
from myquant.core import codes
from myquant.core.records import NO_COMMAND, Command, Event
from myquant.journal import record
from myquant.journal.record import BODY_WORDS, COMMAND, INPUT, NOTE, NOTE_VALUES, Ledger, Note, Origin, Telemetry
from myquant.journal.writer import JournalWriter
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.strategies.loading import default_strategy

SECOND_NS: Final = 10**9
STEPS: Final = 50  # a second
SEGMENT_RECORDS: Final = 1 << 16
LOT: Final = 75
ORDER_EVERY_S: Final = 4
FIRST_PAISE: Final = 25_000
_PLACES: Final = {name: place for place, name in enumerate((*Event._fields, *Origin._fields))}


class Written:
    """One session's journal, and what stands in it so far."""

    def __init__(self, folder: Path, rate: int, seed: int) -> None:
        loaded, strategy = load_config(environment={}), default_strategy()
        symbol = f"NIFTY07OCT25{24_000 + 50 * seed}CE"
        archive.create(folder, _facts(folder.name, symbol, loaded.hash, strategy.engine_hash), loaded, strategy)
        self.journal = JournalWriter.create(folder, key=4711 + seed, segment_records=SEGMENT_RECORDS)
        self._random = np.random.default_rng(seed)
        self._rate, self._inputs, self._commands, self._orders = rate, 0, 0, 0
        self._price, self._held, self._net = FIRST_PAISE, 0, 0
        self._note(record.STARTED, os.getpid())
        self._event(codes.FEED_STATUS, code=codes.FEED_HEALTHY)

    def ticks(self, count: int) -> None:
        """Append ticks of now, a random walk."""
        words = np.zeros((count, BODY_WORDS), np.int64)
        prices = self._price + 5 * np.cumsum(self._random.integers(-1, 2, count))
        wall_ns, mono_ns = time.time_ns(), time.monotonic_ns()
        columns = {
            "kind": codes.TICK,
            "sequence": self._inputs + np.arange(count),
            "time_ns": wall_ns,
            "receive_ns": wall_ns,
            "price": prices,
            "volume": LOT,
            "bid": prices - 5,
            "ask": prices + 5,
            "arrived_ns": mono_ns,
            "decoded_ns": mono_ns + 2_000,
            "connection": 1,
            "spent_ns": self._random.integers(15_000, 90_000, count),
        }
        for name, column in columns.items():
            words[:, _PLACES[name]] = column
        self.journal.append_words(INPUT, words, 0, count)
        self._inputs, self._price = self._inputs + count, int(prices[-1])

    def second(self, number: int) -> None:
        """Append what a session says of itself each second, and now and then an order."""
        self.journal.reserve()
        self._event(codes.TIMER)
        wall_ns, mono_ns = time.time_ns(), time.monotonic_ns()
        self._note(record.BEAT, self._inputs, self._inputs, self._commands, mono_ns, 10**6, wall_ns)
        self._note(record.TELEMETRY, *Telemetry(90_000, *[0] * 9, 50_000, *[0] * 5))
        open_value = self._held * self._price
        equity = 10_000_000 + self._net + open_value - self._held * FIRST_PAISE
        self._note(
            record.LEDGER,
            *Ledger(equity - open_value, equity, equity - 10_000_000, 0, 0, open_value, self._orders // 2, *[0] * 9),
        )
        if number % ORDER_EVERY_S == 0:
            self._order()

    def _order(self) -> None:
        """Append an entry or the exit of what it bought, filled at once."""
        self._orders += 1
        side = codes.SELL if self._held else codes.BUY
        of = {"order_id": self._orders, "quantity": LOT, "price": self._price, "side": side}
        self._command(codes.SUBMIT, **of)
        self._event(codes.ORDER_ACK, order_id=self._orders)
        self._event(codes.FILL, order_id=self._orders, quantity=LOT, value=LOT * self._price)
        if side == codes.BUY:
            self._command(codes.POSITION_OPENED, position_id=self._orders, stop=self._price - 1500, **of)
            self._held = LOT
        else:
            self._command(codes.TRADE_CLOSED, trade_id=self._orders // 2, net=0, entry_price=FIRST_PAISE, **of)
            self._held = 0

    def _event(self, kind: int, **fields: int) -> None:
        now_ns = time.time_ns()
        event = Event(*[0] * len(Event._fields))._replace(
            kind=kind, sequence=self._inputs, time_ns=now_ns, receive_ns=now_ns, **fields
        )
        self.journal.append(INPUT, record.Input(event, Origin(*[0] * len(Origin._fields))))
        self._inputs += 1

    def _command(self, kind: int, **fields: int) -> None:
        self._commands += 1
        now = {"sequence": self._commands, "kind": kind, "time_ns": time.time_ns(), "event_sequence": self._inputs - 1}
        command: Command = NO_COMMAND._replace(**now, **fields)
        self.journal.append(COMMAND, command)

    def _note(self, kind: int, *values: int) -> None:
        padded = (*values, *[0] * (NOTE_VALUES - len(values)))
        self.journal.append(NOTE, Note(kind, 0, 0, time.time_ns(), time.monotonic_ns(), padded))


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


def main(folder: Path, sessions: int, rate: int) -> None:
    """Write, `STEPS` times a second, until the process is ended."""
    written = [Written(folder / f"session-{place:02d}", rate, place) for place in range(sessions)]
    begins_s, step = time.monotonic(), 0
    while True:
        step += 1
        for each in written:
            each.ticks(rate // STEPS)
            if step % STEPS == 0:
                each.second(step // STEPS)
        time.sleep(max(0.0, begins_s + step / STEPS - time.monotonic()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
