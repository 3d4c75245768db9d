"""How a batch is driven: it stops before a day that is not prepared and before the outbox is full, and goes on."""

from decimal import Decimal
from typing import Any

import numpy as np

from laws.driver import DAY_NS, EMPTY, FIRST_MIDNIGHT_NS, Ticks, new_engine, settings
from myquant.core import codes
from myquant.session.engine import Engine

TEN_NS = FIRST_MIDNIGHT_NS + 10 * 3600 * 10**9


def run(engine: Engine, ticks: Ticks, begin: int = 0) -> int:
    columns = engine.drive.Columns(*ticks)
    full = engine.account().commands + len(engine.commands) - engine.drive.OUTBOX_MARGIN
    arrays = (engine.desk, engine.instruments, engine.days, engine.commands)
    return int(engine.drive.run(columns, begin, 0, engine.drive.GOES_ON, full, *arrays))


def ticks_at(*times: int, price: int = 10_000, who: list[int] | None = None) -> Ticks:
    columns = [np.array(times, np.int64), np.full(len(times), price), np.full(len(times), 75)]
    return Ticks(*columns)._replace(instrument=np.array(who) if who else EMPTY)


def emitted(engine: Engine) -> Any:
    return engine.commands[: engine.account().commands]


def test_it_stops_before_the_first_tick_of_a_day_that_is_not_prepared() -> None:
    engine = new_engine(settings({}))
    ticks = ticks_at(TEN_NS, TEN_NS + 1, TEN_NS + DAY_NS, TEN_NS + DAY_NS + 1)
    assert run(engine, ticks) == 0
    assert engine.instruments["counts"].sum() == 0
    engine.prepare_day(0, TEN_NS)
    assert run(engine, ticks) == 2
    assert run(engine, ticks, 2) == 2  # as often as it is asked
    engine.prepare_day(0, TEN_NS + DAY_NS)
    assert run(engine, ticks, 2) == 4
    assert engine.instruments[0]["counts"][codes.COUNT_TICKS] == 4


def test_each_instrument_has_its_own_days() -> None:
    engine = new_engine(settings({}), 2)
    engine.prepare_day(0, TEN_NS)
    ticks = ticks_at(TEN_NS, TEN_NS + 1, TEN_NS + 2, who=[0, 0, 1])
    assert run(engine, ticks) == 2
    engine.prepare_day(1, TEN_NS)
    assert run(engine, ticks, 2) == 3


def test_a_tick_that_is_refused_needs_no_day() -> None:
    engine = new_engine(settings({}))
    assert run(engine, ticks_at(TEN_NS, TEN_NS, price=-1)) == 2
    assert emitted(engine)["kind"].tolist() == [codes.TICK_REJECTED] * 2
    assert emitted(engine)["event_sequence"].tolist() == [0, 1]


def test_it_stops_when_the_outbox_is_nearly_full_and_loses_nothing() -> None:
    engine = new_engine(settings({}))
    size, margin = len(engine.commands), engine.drive.OUTBOX_MARGIN
    ticks = ticks_at(*([TEN_NS] * (size + 10)), price=-1)
    first = run(engine, ticks)
    assert first == size - margin
    assert run(engine, ticks, first) == size + 10
    assert engine.account().commands == size + 10


def test_an_empty_batch_changes_nothing() -> None:
    engine = new_engine(settings({}))
    before = engine.snapshot()
    assert run(engine, ticks_at()) == 0
    assert engine.snapshot() == before


def test_the_most_that_one_tick_can_cause_is_below_the_margin() -> None:
    eight = {
        "strategy.use_ema_crossover": False,
        "strategy.consecutive_green_bars": 1,
        "strategy.min_warmup_ticks": 1,
        "capital.initial_capital": 10_000_000,
        "risk.tp_points": tuple(Decimal(points) for points in range(1, codes.MAX_TIERS + 1)),
        "risk.tp_percents": (Decimal("0.125"),) * codes.MAX_TIERS,
    }
    engine = new_engine(settings(eight))
    engine.prepare_day(0, TEN_NS)
    ticks = ticks_at(*(TEN_NS + 10**10 * k for k in range(3)))
    ticks.price[:] = 10_000, 10_005, 12_000  # an entry, and then a jump over every tier
    run(engine, ticks)
    last = emitted(engine)[emitted(engine)["event_sequence"] == 2]["kind"].tolist()
    assert last == [codes.MARK, *[codes.SUBMIT, codes.TRADE_CLOSED] * codes.MAX_TIERS]
    assert len(last) < engine.drive.OUTBOX_MARGIN
