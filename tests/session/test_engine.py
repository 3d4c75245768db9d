"""The engine in memory: days are prepared when they are needed, commands come whole, its state goes and comes as bytes."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from laws.driver import DAY_NS, FIRST_DAY, FIRST_MIDNIGHT_NS, Ticks, random_ticks, settings
from myquant.config.loading import load_config
from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.errors import ConfigError, DataError
from myquant.session.engine import OUTBOX, Engine
from myquant.strategies.loading import default_strategy
from myquant.ticks.batch import InstrumentName, TickBatch
from session.play import NOTHING

NIFTY = (InstrumentName("NIFTY"),)
TEN_NS = FIRST_MIDNIGHT_NS + 10 * 3600 * 10**9


def engine(names: tuple[InstrumentName, ...] = NIFTY, **values: object) -> Engine:
    return Engine(
        settings({name.replace("__", "."): value for name, value in values.items()}), default_strategy(), names
    )


def tick(time_ns: int, price: int = 10_000, who: int = 0) -> Event:
    return NOTHING._replace(kind=codes.TICK, instrument=who, time_ns=time_ns, price=price, volume=75)


def batch(ticks: Ticks) -> TickBatch:
    return TickBatch(**ticks._asdict())


def ignore(_: np.ndarray) -> None:
    """Take commands and do nothing."""


def test_an_account_begins_with_its_capital() -> None:
    account = engine(capital__initial_capital=Decimal("12345.67")).account()
    assert (account.cash, account.peak_equity, account.day_start_equity) == (1_234_567,) * 3
    assert (account.open_value, account.reserved, account.orders, account.commands) == (0, 0, 0, 0)


def test_days_are_prepared_once_per_instrument_by_the_first_usable_tick() -> None:
    runner = engine(NIFTY * 2)
    runner.step(tick(TEN_NS, price=-1), ignore)
    runner.step(tick(codes.NO_TIME), ignore)
    assert runner.day_rules == {}
    runner.step(tick(TEN_NS, who=1), ignore)
    runner.step(tick(TEN_NS + 1, who=1), ignore)
    runner.step(tick(TEN_NS + DAY_NS, who=0), ignore)
    assert list(runner.day_rules) == [(1, FIRST_DAY), (0, date(2025, 10, 2))]


@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_day_that_no_table_covers_stops_the_run(one_by_one: bool) -> None:
    runner = Engine(load_config(values={}), default_strategy(), NIFTY)
    late = TEN_NS + 2000 * DAY_NS
    alone = batch(Ticks(*(np.array([value]) for value in (late, 10_000, 75))))
    with pytest.raises(DataError, match="2031-03-24"):
        runner.step(tick(late), ignore) if one_by_one else runner.run(alone, ignore)
    assert runner.instruments["counts"].sum() == 0


def test_names_decide_on_the_book_unless_they_are_labels() -> None:
    unknown = (InstrumentName("night ride"),)
    loaded = load_config(values={"session": {"source": "config"}})
    with pytest.raises(DataError, match="night ride"):
        Engine(loaded, default_strategy(), unknown).prepare_day(0, TEN_NS)
    labelled = Engine(loaded, default_strategy(), unknown, symbols_are_labels=True)
    labelled.prepare_day(0, TEN_NS)
    assert labelled.day_rules[0, FIRST_DAY].contract.symbol == "NIFTY"
    with pytest.raises(ConfigError, match="NIFTY trades on NFO, not BFO"):
        Engine(loaded, default_strategy(), (InstrumentName("NIFTY", "BFO"),)).prepare_day(0, TEN_NS)


def test_commands_come_whole_and_in_order_though_the_outbox_is_a_ring() -> None:
    bad = Ticks(*(np.full(3 * OUTBOX, value) for value in (TEN_NS, -1, 75)))
    runner = engine()
    got: list[int] = []
    runner.run(batch(bad), lambda commands: got.extend(commands["sequence"].tolist()))
    assert got == list(range(1, 3 * OUTBOX + 1))
    assert runner.inputs == 3 * OUTBOX


def test_many_days_of_few_commands_come_whole_and_in_order() -> None:
    days, each = 8, OUTBOX // 3
    times = np.repeat(TEN_NS + DAY_NS * np.arange(days), each + 1)
    prices = np.tile([10_000, *[-1] * each], days)  # a tick that begins the day, and some that are refused
    runner = engine()
    got: list[int] = []
    runner.run(
        batch(Ticks(times, prices, np.full(len(times), 75))), lambda commands: got.extend(commands["sequence"].tolist())
    )
    assert got == list(range(1, runner.account().commands + 1))
    assert runner.instruments[0]["counts"][codes.COUNT_REJECTED + codes.NON_POSITIVE_PRICE] == 0
    assert runner.instruments[0]["counts"][codes.COUNT_REJECTED + codes.UNPARSABLE_PRICE] == days * each


def test_what_was_decided_before_an_error_is_handed_over() -> None:
    ticks = Ticks(*(np.array(values) for values in ((TEN_NS, TEN_NS + 2000 * DAY_NS), (-1, 10_000), (75, 75))))
    got: list[int] = []
    runner = Engine(load_config(values={}), default_strategy(), NIFTY)
    with pytest.raises(DataError, match="2031-03-24"):
        runner.run(batch(ticks), lambda commands: got.extend(commands["kind"].tolist()))
    assert got == [codes.TICK_REJECTED]


def test_the_end_of_the_data_closes_or_marks() -> None:
    runner = engine(session__end_hour=23, session__end_min=59)
    runner.run(batch(random_ticks(4)), ignore)
    assert runner.instruments[0]["core"]["position"]["quantity"] > 0
    last_ns = int(runner.instruments[0]["core"]["tape"]["last_ns"])
    got: list[tuple[int, int]] = []

    def take(commands: np.ndarray) -> None:
        got.extend((int(command["kind"]), int(command["reason"])) for command in commands)
        assert set(commands["time_ns"].tolist()) == {last_ns}  # the data's own time

    runner.end(0, codes.CLOSE_OPEN, take)
    runner.end(0, codes.CLOSE_OPEN, take)  # nothing is open any more
    runner.end(0, codes.LAST_MARK, take)
    assert got == [(codes.SUBMIT, codes.END_EXIT), (codes.TRADE_CLOSED, codes.END_EXIT), (codes.MARK, 0)]
    assert runner.account().open_value == 0


def test_a_restored_engine_is_the_one_that_was_saved() -> None:
    saved, other = engine(), engine()
    saved.run(batch(random_ticks(1).head(700)), ignore)
    other.run(batch(random_ticks(2)), ignore)
    other.restore(saved.snapshot(), saved.inputs)
    assert other.snapshot() == saved.snapshot()
    assert other.account() == saved.account()
    assert other.inputs == saved.inputs == 700
    got: list[int] = []
    other.step(tick(codes.NO_TIME), lambda commands: got.extend(commands["sequence"].tolist()))
    assert got == [saved.account().commands + 1]


@pytest.mark.parametrize("cut", [slice(None, -1), slice(8, None), slice(0, 0)])
def test_bytes_that_are_no_snapshot_of_this_engine_are_an_error(cut: slice) -> None:
    runner = engine()
    before = runner.snapshot()
    with pytest.raises(DataError, match="another engine's"):
        runner.restore(before[cut], 0)
    assert runner.snapshot() == before


def test_a_snapshot_of_more_instruments_is_an_error() -> None:
    with pytest.raises(DataError, match="another engine's"):
        engine().restore(engine(NIFTY * 2).snapshot(), 0)


@pytest.mark.parametrize(("drained", "emitted"), [(0, 3), (7, 7), (OUTBOX - 2, OUTBOX), (OUTBOX - 2, OUTBOX + 3)])
def test_news_are_what_drain_hands_over(drained: int, emitted: int) -> None:
    """Also where they go round the ring's end."""
    runner, other = engine(), engine()
    handed: list[np.ndarray] = []
    for each in (runner, other):
        each.commands.view(np.int64)[:] = np.arange(OUTBOX * len(Command._fields))
        each.drained = drained
        each.desk["account"]["commands"] = emitted
    other.drain(handed.append)
    news = runner.take_news()
    assert len(news) == emitted - drained
    assert news == [Command(*row) for rows in handed for row in rows.tolist()]
    assert [command.sequence // len(Command._fields) for command in news] == [
        n % OUTBOX for n in range(drained, emitted)
    ]
    assert runner.take_news() == []
