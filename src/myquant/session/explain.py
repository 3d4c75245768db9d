"""What a trader should know of a run beyond its figures: why there were no entries, and what was taken for granted."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import Event
from myquant.results.text import counted, grouped, listed
from myquant.session.engine import Engine
from myquant.session.rules import SECOND_NS, DayRules

LATER_GATES: Final = (codes.MAX_POSITIONS, codes.GREEN, codes.SIGNAL)  # asked on ticks within the hours of entry only


NO_EVENTS: Final = np.zeros(0, dtype_of(Event))


class FirstOfSize:
    """Keeps the first entry that was denied for its size, and what a broker let be spent then.

    Attributes:
        found: the command; None: there was none.
        funds_paise: the broker's funds; None: it has not said.
    """

    def __init__(self) -> None:
        self.found: np.void | None = None
        self.funds_paise: int | None = None

    def take(self, commands: np.ndarray[Any, Any], events: np.ndarray[Any, Any] = NO_EVENTS) -> None:
        """Take some commands in order, and the events among which they arose."""
        if self.found is not None:
            return
        denied = commands[(commands["kind"] == codes.DENIED) & (commands["reason"] == codes.SIZE)]
        self.found = denied[0] if len(denied) else None
        funds = events[events["kind"] == codes.FUNDS]
        if self.found is not None:
            funds = funds[funds["sequence"] < self.found["event_sequence"]]
        if len(funds):
            self.funds_paise = int(funds["value"][-1])


def notices(engine: Engine, first_of_size: FirstOfSize) -> tuple[str, ...]:
    """Return a line for each thing to know of a run that has ended, with its remedy."""
    found = [*_labels(engine), *_backwards(engine)]
    closed = {key: rules for key, rules in engine.day_rules.items() if rules.hours is None}
    opened = [rules for rules in engine.day_rules.values() if rules.hours is not None]
    if not found and opened and engine.account().positions == 0:
        found += _no_entry(engine, opened[0])
    return (*found, *_closed(closed), *_size(engine, first_of_size))


def _labels(engine: Engine) -> Iterator[str]:
    if engine.book_symbol is None:
        return
    symbols = [name.symbol for name in engine.names]
    verb = "is no trading symbol" if len(symbols) == 1 else "are no trading symbols"
    yield (
        f"{listed(symbols)} {verb}: lot, charges and hours are those of {engine.book_symbol} (instrument.symbol);"
        " name the files after their contracts, such as NIFTY07OCT2524900CE.csv, to have their own"
    )


def _backwards(engine: Engine) -> Iterator[str]:
    counts = engine.instruments["counts"].sum(axis=0)
    rejected = counts[codes.COUNT_REJECTED + np.array(list(codes.REJECTION_NAMES))].sum()
    rows = int(counts[codes.COUNT_TICKS] + rejected)
    yield from going_back(int(counts[codes.COUNT_REJECTED + codes.TIME_BACKWARDS]), rows)


def going_back(backwards: int, rows: int) -> Iterator[str]:
    """Yield a notice when most of the rows go back in time."""
    if 2 * backwards > rows:
        yield (
            f"{backwards:,} of {counted(rows, 'row')} go back in time and were not used: is the file newest first?"
            " Sort it by time, the oldest row first"
        )


def _no_entry(engine: Engine, open_day: DayRules) -> Iterator[str]:
    """Yield why a run without entries had none, where no tick after the warm-up was within the hours of entry."""
    counts = engine.instruments["counts"].sum(axis=0)
    denied = counts[codes.COUNT_DENIED + np.array(list(codes.DENIAL_NAMES))].sum()
    if denied or any(counts[codes.COUNT_GATES + gate] for gate in LATER_GATES):
        return
    config = engine.loaded.config
    if counts[codes.COUNT_GATES + codes.OUTSIDE_HOURS]:
        zone = config.session.timezone
        first, last = (_clock(ns, zone) for ns in (open_day.day.entry_from_ns, open_day.day.entry_end_ns))
        yield (
            f"no entry: no tick after the warm-up is within the hours of entry ({first} to {last} on {open_day.date});"
            f" are the times in another zone than session.timezone = {zone}?"
        )
    else:
        ticks = counted(int(counts[codes.COUNT_TICKS]), "tick")
        yield f"no entry: {ticks} in all, and the warm-up takes strategy.min_warmup_ticks = {config.strategy.min_warmup_ticks}"


def _closed(closed: dict[tuple[int, date], DayRules]) -> Iterator[str]:
    days: dict[str, set[str]] = {}
    for (_, on), rules in closed.items():
        days.setdefault(rules.contract.exchange, set()).add(on.isoformat())
    for exchange, dates in days.items():
        yield f"{exchange} was closed on {listed(sorted(dates))}: ticks of a closed day make no entries"


def _size(engine: Engine, first: FirstOfSize) -> Iterator[str]:
    denied = int(engine.instruments["counts"][:, codes.COUNT_DENIED + codes.SIZE].sum())
    if not denied or first.found is None:
        return
    config, command = engine.loaded.config, first.found
    who, time_ns, price = int(command["instrument"]), int(command["time_ns"]), int(command["price"])
    zone = config.session.timezone
    lot, cash = engine.day_rules[who, engine.date_of(time_ns)].contract.lot_size, int(command["cash"])
    whose, had, remedy = "the cash", f"the cash was {_rupees(cash)}", "raise capital.initial_capital or"
    if first.funds_paise is not None and first.funds_paise < cash:
        whose = "the broker's funds"
        had = f"the broker's funds were {_rupees(first.funds_paise)}, our own cash {_rupees(cash)}"
        remedy = "add funds at the broker, as capital.initial_capital changes nothing, or raise"
    yield (
        f"size: {counted(denied, 'entry', 'entries')} denied, as one lot cost more than"
        f" risk.max_position_value_percent = {config.risk.max_position_value_percent.normalize():f} % of {whose}"
        f" (first at {_clock(time_ns, zone)}: {lot} {engine.names[who].symbol} at {_rupees(price)} are"
        f" {_rupees(lot * price)}, {had}); {remedy} risk.max_position_value_percent"
    )


def _clock(time_ns: int, zone: str) -> str:
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, ZoneInfo(zone)):%H:%M:%S}"


def _rupees(paise: int) -> str:
    return grouped(paise / 100)
