"""Records of a made-up session, drawn at random from a seed: what traces are made of."""

import random
from typing import Any

import numpy as np

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Charges, Command, Day, Event
from myquant.journal import record
from myquant.journal.record import (
    BODY,
    COMMAND,
    DAY,
    HOLDS,
    INPUT,
    NOTE,
    NUMBER,
    POSITION,
    WORDS,
    DayNote,
    Holding,
    Input,
    Ledger,
    Note,
    Origin,
)

SECOND_NS = 10**9
BEGAN_NS = 1_759_463_100 * SECOND_NS  # 2025-10-03 09:15 in India
DAY_NS = 86_400 * SECOND_NS
NOTHING = dict.fromkeys(Event._fields, 0)
NO_COMMAND = dict.fromkeys(Command._fields, 0)
NO_DAY = Day(**dict.fromkeys(Day._fields, 0) | {"charges": Charges(*[0] * len(Charges._fields))})  # type: ignore[arg-type]
NO_ORIGIN = Origin(*[0] * len(Origin._fields))


class Made:
    """Collects records."""

    def __init__(self) -> None:
        self.bodies: list[tuple[int, Any]] = []
        self.inputs = 0

    def event(self, kind: int, *, origin: Origin = NO_ORIGIN, **fields: int) -> int:
        self.bodies.append((INPUT, Input(Event(**NOTHING | {"kind": kind, "sequence": self.inputs} | fields), origin)))
        self.inputs += 1
        return self.inputs - 1

    def command(self, kind: int, **fields: int) -> None:
        about = {"kind": kind, "event_sequence": self.inputs - 1}
        self.bodies.append((COMMAND, Command(**NO_COMMAND | about | fields)))

    def day(self, start_ns: int, instrument: int = 0) -> None:
        rules = NO_DAY._replace(start_ns=start_ns, end_ns=start_ns + DAY_NS)
        self.bodies.append((DAY, DayNote(instrument, 0, 0, rules)))

    def note(self, kind: int, code: int, instrument: int, wall_ns: int, *values: int) -> None:
        padded = (*values, *[0] * (record.NOTE_VALUES - len(values)))
        self.bodies.append((NOTE, Note(kind, code, instrument, wall_ns, wall_ns, padded)))  # type: ignore[arg-type]

    def ledger(self, wall_ns: int, code: int = 0, **fields: int) -> None:
        whole = dict.fromkeys(Ledger._fields, 0) | fields
        self.note(record.LEDGER, code, 0, wall_ns, *whole.values())

    def holding(self, instrument: int, wall_ns: int, **fields: int) -> None:
        whole = dict.fromkeys(Holding._fields, 0) | fields
        self.note(POSITION, 0, instrument, wall_ns, *whole.values())

    def rows(self) -> np.ndarray[Any, Any]:
        """Return them as int64 (n, WORDS), without checksums."""
        made = np.zeros((len(self.bodies), WORDS), np.int64)
        for place, (holds, body) in enumerate(self.bodies):
            one = np.zeros(1, dtype_of(record.BODIES[holds]))
            one[0] = body
            made[place, NUMBER], made[place, HOLDS] = place + 1, holds
            made[place, BODY:] = one.view(np.int64)
        return made


def session(seed: int, seconds: int = 150, instruments: int = 2) -> Made:
    """Return some minutes of a session: ticks good and bad, orders, refusals, positions, outages, and notes each second."""
    drawn, made = random.Random(seed), Made()
    made.note(record.STARTED, 0, 0, BEGAN_NS, 4711)
    prices, before = [2_500_000] * instruments, 0
    for second in range(seconds):
        for part in range(drawn.randrange(6)):
            at = BEGAN_NS + second * SECOND_NS + part * 150_000_000
            who = drawn.randrange(-1, instruments + 1)
            prices = [price + 5 * drawn.randrange(-3, 4) for price in prices]
            price = drawn.choice([prices[who % instruments]] * 9 + [0])
            arrived, decode = drawn.choice([0, at, at, at]), drawn.choice([-1, 0, 5_000, 20_000])
            origin = NO_ORIGIN._replace(arrived_ns=arrived, decoded_ns=max(0, arrived + decode), spent_ns=before)
            time_ns = at + drawn.choice([0, 0, 0, 0, -2 * SECOND_NS])
            receive_ns = drawn.choice([0, *[at + drawn.randrange(-2_000_000, 80_000_000)] * 8, at + 7200 * SECOND_NS])
            kind = drawn.choice([codes.TICK] * 5 + [codes.QUOTE])
            made.event(
                kind, origin=origin, instrument=who, time_ns=time_ns, receive_ns=receive_ns, price=price, volume=1
            )
            before = drawn.choice([0, drawn.randrange(1, 10 ** drawn.randrange(2, 9))])
            decide(drawn, made, time_ns, prices[0])
        other_events(drawn, made, BEGAN_NS + second * SECOND_NS + 900_000_000, before)
        notes(drawn, made, second, instruments)
    made.note(record.STOPPED, 4, 0, BEGAN_NS + seconds * SECOND_NS)
    return made


def decide(drawn: random.Random, made: Made, time_ns: int, price: int) -> None:
    kinds = [0] * 6 + [codes.SUBMIT, codes.DENIED, codes.DENIED, codes.TICK_REJECTED, codes.MARK]
    kinds += [codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.HALTED, codes.RESUMED]
    if kind := drawn.choice(kinds):
        reason = drawn.randrange(1, 6)
        position = drawn.randrange(1, 9)
        made.command(
            kind, time_ns=time_ns, reason=reason, price=price, quantity=75, position_id=position, net=-5000, stop=17
        )


def other_events(drawn: random.Random, made: Made, at: int, before: int) -> None:
    kind = drawn.choice([codes.TIMER] * 5 + [codes.FEED_STATUS, codes.OPERATOR, codes.ORDER_ACK])
    code = drawn.randrange(1, 4) if kind == codes.OPERATOR else drawn.randrange(2)
    made.event(kind, origin=NO_ORIGIN._replace(spent_ns=before), time_ns=at, receive_ns=at, code=code)


def notes(drawn: random.Random, made: Made, second: int, instruments: int) -> None:
    wall_ns = BEGAN_NS + (second + 1) * SECOND_NS
    made.note(record.BEAT, 0, 0, wall_ns, 0, 0, 0, 0, 0, wall_ns - 1_000_000)
    equity, drawdown = 10**8 + drawn.randrange(10**6), drawn.randrange(10**5)
    made.ledger(wall_ns, drawn.choice([0, 0, 2]), equity=equity, day_pnl=equity - 10**8, drawdown=drawdown)
    for who in range(instruments):
        if drawn.random() < 0.7:
            stop, floor = drawn.choice([(100, 100), (100, 110), (105, 110)])
            made.holding(who, wall_ns, position_id=1 + second // 40, quantity=75, stop=stop, floor=floor, target=200)
