"""The execution report of a session's day: its orders, what they cost and how long they took, and what the broker has besides."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from myquant.errors import ConfigError
from myquant.execution.figures import Delays, Slippage, Totals, delays_of, slippage_of, time_in_states, totals_of
from myquant.execution.life import AT_WORK, ROLES, OrderLife
from myquant.execution.reading import Reading, read_session
from myquant.session.reconciliation import Kind

SCHEMA: Final = 1
SIMULATED: Final = "simulated"  # the fills are the simulated exchange's own: there is nothing beside them
COMPARED: Final = "compared"
NOT_RUN: Final = "not_run"  # no simulated exchange ran beside the session, or none of the day's orders has ended in it


@dataclass(frozen=True)
class OrderRow:
    """One order, its figures made up."""

    life: OrderLife
    slippage: Slippage
    delays: Delays
    in_states: Mapping[str, int | None]  # ns


@dataclass(frozen=True)
class ForeignRow:
    """Something that the broker had and the journal knew no order of."""

    wall_ns: int | None
    source: str  # journal, log or others.json
    what: str
    symbol: str
    units: int | None  # above 0: bought, or held
    value: int | None  # paise
    order: str  # number of the order, ours or the broker's; "": none


@dataclass(frozen=True)
class Check:
    """Two sums that must agree."""

    name: str
    found: int
    due: int

    @property
    def is_met(self) -> bool:
        """Whether they do."""
        return self.found == self.due


@dataclass(frozen=True)
class ExecutionReport:
    """How the orders of a session's day were executed."""

    session: str
    kind: str
    broker: str
    day: str  # ISO, in the session's zone
    days: tuple[str, ...]  # that the session has
    zone: str
    ended: int | None  # the session is over, with this exit code; None: it can go on
    shadow: str  # SIMULATED, COMPARED or NOT_RUN
    records: int  # of the journal, read
    troubles: tuple[str, ...]  # what could not be read, or does not agree
    totals: Totals
    by_role: Mapping[str, Totals]
    by_instrument: Mapping[str, Totals]
    exit_reasons: Mapping[str, int]
    orders: tuple[OrderRow, ...]
    foreign: tuple[ForeignRow, ...]
    checks: tuple[Check, ...]
    schema_version: int = SCHEMA

    @property
    def is_simulated(self) -> bool:
        """Whether the fills are those of the simulated exchange."""
        return self.shadow == SIMULATED

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it: rupees, seconds, UTC."""
        from myquant.execution.tables import table_of  # noqa: PLC0415  (that module is made of this one)

        return table_of(self)


def execution_of(folder: Path, day: str | None = None) -> ExecutionReport:
    """Return the report of a session's day (ISO, in the session's zone); None: its last one.

    Raises ConfigError where there is no session or it has no such day, DataError where session.json can't be understood.
    """
    return report_of(read_session(folder), day)


def report_of(reading: Reading, day: str | None = None) -> ExecutionReport:
    """Return the report of a day of what was read. Raises ConfigError where the session has no such day."""
    days = _days(reading)
    day = _chosen(day, days, reading)
    lives = [life for life in reading.lives.orders.values() if _day_in(days, life.day) == day]
    is_simulated, shadow = reading.lives.is_simulated, reading.shadow
    checks = _checks(reading, day)
    troubles = [*reading.troubles, *(_text(check) for check in checks if not check.is_met)]
    symbols = sorted({life.symbol for life in lives})
    compared = any(life.order_id in shadow for life in lives)

    def totals(some: list[OrderLife]) -> Totals:
        return totals_of(some, shadow, is_simulated=is_simulated)

    return ExecutionReport(
        session=reading.facts.name,
        kind=reading.facts.kind,
        broker=reading.facts.broker,
        day=day,
        days=days,
        zone=reading.zone,
        ended=reading.facts.ended,
        shadow=SIMULATED if is_simulated else COMPARED if compared else NOT_RUN,
        records=reading.records,
        troubles=tuple(troubles),
        totals=totals(lives),
        by_role={role: totals([life for life in lives if life.role == role]) for role in ROLES},
        by_instrument={symbol: totals([life for life in lives if life.symbol == symbol]) for symbol in symbols},
        exit_reasons=dict(Counter(trade.reason for trade in reading.lives.trades if _day_in(days, trade.day) == day)),
        orders=tuple(
            OrderRow(
                life,
                slippage_of(life, shadow.get(life.order_id)),
                delays_of(life, is_simulated=is_simulated),
                time_in_states(life, is_simulated=is_simulated),
            )
            for life in lives
        ),
        foreign=tuple(_rows(reading, day)),
        checks=checks,
    )


def _days(reading: Reading) -> tuple[str, ...]:
    """Return a session's days; where the journal has the beginning of none, those at which the broker had something."""
    lives = reading.lives
    return tuple(sorted(lives.days or {each.day for each in lives.foreign} - {""}))


def _day_in(days: tuple[str, ...], date_text: str) -> str:
    """Return the day with which a date stands: its own, else the last one before it, else the first."""
    return days[max(0, bisect_right(days, date_text) - 1)]


def _chosen(day: str | None, days: tuple[str, ...], reading: Reading) -> str:
    folder, but = reading.folder, "".join(f"; {trouble}" for trouble in reading.troubles)
    if not days:
        raise ConfigError(f"{folder}: no day of trading was journaled yet: nothing is to be reported{but}")
    if day is None:
        return days[-1]
    try:
        wanted = date.fromisoformat(day).isoformat()
    except ValueError:
        raise ConfigError(f"--day {day}: not a date such as {days[-1]}") from None
    if wanted not in days:
        raise ConfigError(f"{folder}: has no day {wanted}; it has {', '.join(days)}{but}")
    return wanted


def foreign_rows(reading: Reading) -> list[ForeignRow]:
    """Return what the broker had besides on all days, by time."""
    return _rows(reading, None)


def _rows(reading: Reading, day: str | None) -> list[ForeignRow]:
    """Return what the broker had besides on a day (None: on all), by time. A position of others has no day: it is the last one's."""
    days, found = _days(reading), reading.lives.foreign
    rows = [
        ForeignRow(
            each.at.wall_ns,
            "journal",
            each.what,
            each.symbol,
            each.units,
            each.value,
            "" if each.order_id is None else str(each.order_id),
        )
        for each in found
        if day is None or _day_in(days, each.day) == day
    ]
    taken_over = {
        str(each.order_id) for each in found if each.order_id is not None
    }  # what the log says of them, the journal does
    rows += [
        ForeignRow(each.wall_ns, "log", each.what, each.symbol, each.units, each.value, each.order)
        for each in reading.told
        if not (each.what == Kind.LOST_ORDER and each.order in taken_over)
        and (day is None or _day_of_line(reading, days, each.wall_ns) == day)
    ]
    rows.sort(key=lambda row: row.wall_ns or 0)
    if day is None or day == days[-1]:
        rows += [
            ForeignRow(None, "others.json", f"a position of others ({each.product})", each.token, each.units, None, "")
            for each in reading.held
        ]
    return rows


def _day_of_line(reading: Reading, days: tuple[str, ...], wall_ns: int) -> str:
    """Return the day of a line of the log: the machine's clock tells, but where a lab plays another day, or it is of none.

    There the day is that of the order before it, else the last one before.
    """
    lives = reading.lives
    own = lives.day_of(wall_ns)
    if own in days:
        return own
    before = [life.day for life in lives.orders.values() if _wall_of(life) <= wall_ns]
    return _day_in(days, before[-1] if before else own)


def _wall_of(life: OrderLife) -> int:
    return life.states[0][1].wall_ns or 0


def _checks(reading: Reading, day: str) -> tuple[Check, ...]:
    """Return what must agree: what exits have sold and others with what was booked, for each instrument.

    A late fill is among what others have sold.
    """
    lives, days = reading.lives, _days(reading)
    closed: Counter[str] = Counter()
    sold: Counter[str] = Counter()
    for trade in lives.trades:
        if _day_in(days, trade.day) == day:
            closed[lives.symbol_of(trade.instrument)] += trade.units
    for life in lives.orders.values():
        if life.side < 0 and life.state not in AT_WORK:
            for fill in life.fills:
                if not fill.is_late and _day_in(days, lives.day_of(fill.at.time_ns)) == day:
                    sold[life.symbol] += fill.units
    for each in lives.foreign:
        if _day_in(days, each.day) == day and each.units < 0:
            sold[each.symbol] -= each.units
    return tuple(
        Check(f"units of {symbol} that were sold, and those of its closed trades", sold[symbol], closed[symbol])
        for symbol in sorted(sold | closed)
    )


def _text(check: Check) -> str:
    return f"{check.name}, differ: {check.found:,} and {check.due:,}"


def utc_text(time_ns: int | None) -> str | None:
    """Return a time as files have it: UTC with a Z, to the microsecond; None of None."""
    if time_ns is None:
        return None
    seconds, rest = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"
