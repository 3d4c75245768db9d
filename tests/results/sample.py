"""Records of made-up runs: a small ledger turns lists of positions into the commands that an engine would have left."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np

from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.records import NO_COMMAND, Account, Command
from myquant.market.charges import ChargeRates, order_charges, percent_rates, schedule_rates
from myquant.results.record import OpenPosition, RejectedExample, RunRecord

IST = timezone(timedelta(hours=5, minutes=30))
DAY_1 = date(2025, 10, 3)
DAY_2 = date(2025, 10, 6)
SECOND_NS = 1_000_000_000
LOT = 75
FREE = percent_rates(
    commission_percent=Decimal(0),
    commission_per_trade=Decimal(0),
    stt_percent=Decimal(0),
    exchange_charges_percent=Decimal(0),
    gst_percent=Decimal(0),
)
SCHEDULE = schedule_rates(DAY_1, "NFO", "zerodha", "NIFTY", "CE")
NO_ACCOUNT = Account._make([0] * len(Account._fields))


@dataclass(frozen=True)
class Out:
    """An exit: clock, price (paise), quantity, reason code."""

    clock: str
    price: int
    quantity: int
    reason: int


@dataclass(frozen=True)
class Held:
    """A position: its entry, and its exits in order; what they leave stays open."""

    clock: str
    price: int
    quantity: int
    outs: Sequence[Out] = ()
    day: date = DAY_1
    instrument: int = 0


@dataclass
class _Ledger:
    """Cash and value of the one position that is open at a time, and the commands so far."""

    rates: ChargeRates
    cash: int
    open_value: int = 0
    peak: int = 0
    drawdown: int = 0
    drawdown_peak: int = 0
    paid: dict[str, int] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)

    def charge(self, side: int, price: int, quantity: int) -> int:
        costs = order_charges(self.rates, "buy" if side > 0 else "sell", price, quantity)
        for name in ("brokerage", "exchange", "sebi", "stt", "stamp", "gst"):
            self.paid[name] = self.paid.get(name, 0) + getattr(costs, name)
        self.cash -= costs.total
        return costs.total

    def emit(self, **fields: int) -> None:
        equity = self.cash + self.open_value
        self.peak = max(self.peak, equity)
        if self.peak - equity > self.drawdown:
            self.drawdown, self.drawdown_peak = self.peak - equity, self.peak
        self.commands.append(
            NO_COMMAND._replace(
                sequence=len(self.commands) + 1, cash=self.cash, equity=equity, drawdown=self.drawdown, **fields
            )
        )

    def mark(self, held: Held, time_ns: int, price: int, quantity: int) -> None:
        self.emit(kind=codes.MARK, instrument=held.instrument, time_ns=time_ns, price=price, quantity=quantity)


def at(clock: str, day: date = DAY_1) -> int:
    """Return a clock reading in India (ISO 8601, milliseconds at most) in ns since the epoch."""
    moment = datetime.combine(day, time(), IST)
    hours, minutes, seconds = clock.split(":")
    seconds_ns = int(Decimal(seconds) * SECOND_NS)
    return (int(moment.timestamp()) + int(hours) * 3600 + int(minutes) * 60) * SECOND_NS + seconds_ns


def make_record(
    positions: Sequence[Held] = (),
    *,
    rates: ChargeRates = FREE,
    initial_capital: int = 10_000_000,
    symbols: tuple[str, ...] = ("NIFTY07OCT2524900CE",),
    days: tuple[date, ...] = (DAY_1,),
    **changes: Any,
) -> RunRecord:
    """Return the record of a run with these positions, one after the other, and a mark before and after each."""
    ledger = _Ledger(rates, initial_capital, peak=initial_capital)
    still_open = [
        left for number, held in enumerate(positions, 1) if (left := _play(ledger, number, held, symbols)) is not None
    ]
    commands = np.array(ledger.commands, dtype=dtype_of(Command))
    kinds = commands["kind"]
    record = RunRecord(
        symbols=symbols,
        time_zone="Asia/Kolkata",
        initial_capital=initial_capital,
        account=_account(ledger, positions, int((kinds == codes.TRADE_CLOSED).sum())),
        trades=commands[kinds == codes.TRADE_CLOSED],
        openings=commands[kinds == codes.POSITION_OPENED],
        marks=commands[kinds == codes.MARK],
        halts=commands[kinds == codes.HALTED],
        counts=np.zeros((len(symbols), codes.COUNTS), dtype=np.int64),
        open_positions=tuple(still_open),
        rejected_examples={},
        notices=(),
        first_ns=at("09:15:00", days[0]),
        last_ns=at("15:29:59", days[-1]),
        days=days,
        rates={(instrument, day): rates for instrument in range(len(symbols)) for day in days},
        lot_sizes=(LOT,) * len(symbols),
        freeze_quantities=(1800,) * len(symbols),
        config_toml='[capital]\ninitial_capital = 100000.0  # "<cash>"\n',
        config_hash="c" * 64,
        input_hash="1" * 64,
        strategy="default",
        strategy_file=None,
        engine_hash="e" * 20,
        versions={"python": "3.11.2", "myquant": "0.1.0"},
    )
    return replace(record, **changes)


def _play(ledger: _Ledger, number: int, held: Held, symbols: tuple[str, ...]) -> OpenPosition | None:
    opened_ns = at(held.clock, held.day)
    ledger.mark(held, opened_ns - SECOND_NS, held.price, 0)
    ledger.cash -= held.price * held.quantity
    ledger.open_value = held.price * held.quantity
    charges = ledger.charge(codes.BUY, held.price, held.quantity)
    common = {
        "instrument": held.instrument,
        "position_id": number,
        "entry_time_ns": opened_ns,
        "entry_price": held.price,
        "stop": held.price - 1500,
    }
    fill = {"side": codes.BUY, "quantity": held.quantity, "price": held.price, "charges": charges}
    ledger.emit(kind=codes.POSITION_OPENED, time_ns=opened_ns, **fill, **common)
    left, carried = held.quantity, 0
    for out in held.outs:
        left -= out.quantity
        share = charges * out.quantity // held.quantity if left else charges - carried
        carried += share
        _sell(ledger, held, out, common, left=left, share=share)
    if not held.outs or left:
        last = held.outs[-1].price if held.outs else held.price
        open_pnl = (last - held.price) * left - (charges - carried)
        return OpenPosition(number, symbols[held.instrument], left, opened_ns, held.price, last, open_pnl)
    return None


def _sell(ledger: _Ledger, held: Held, out: Out, common: dict[str, int], *, left: int, share: int) -> None:
    ledger.cash += out.price * out.quantity
    ledger.open_value = out.price * left
    charges = share + ledger.charge(codes.SELL, out.price, out.quantity)
    gross = (out.price - held.price) * out.quantity
    time_ns = at(out.clock, held.day)
    ledger.emit(
        kind=codes.TRADE_CLOSED,
        time_ns=time_ns,
        trade_id=1 + sum(command.kind == codes.TRADE_CLOSED for command in ledger.commands),
        side=codes.SELL,
        quantity=out.quantity,
        price=out.price,
        reason=out.reason,
        gross=gross,
        charges=charges,
        net=gross - charges,
        **common,
    )
    ledger.mark(held, time_ns, out.price, left)


def _account(ledger: _Ledger, positions: Sequence[Held], trades: int) -> Account:
    paid = ledger.paid
    return NO_ACCOUNT._replace(
        cash=ledger.cash,
        open_value=ledger.open_value,
        peak_equity=ledger.peak,
        max_drawdown=ledger.drawdown,
        drawdown_peak=ledger.drawdown_peak,
        orders=len(positions) + trades,
        positions=len(positions),
        trades=trades,
        commands=len(ledger.commands),
        brokerage=paid.get("brokerage", 0),
        exchange_charges=paid.get("exchange", 0),
        sebi_fees=paid.get("sebi", 0),
        stt=paid.get("stt", 0),
        stamp_duty=paid.get("stamp", 0),
        gst=paid.get("gst", 0),
    )


def counted(record: RunRecord, **places: int) -> RunRecord:
    """Return the record with some of its first instrument's counters set, named as in `core.codes`."""
    counts = record.counts.copy()
    for name, count in places.items():
        counts[0, getattr(codes, name)] = count
    return replace(record, counts=counts)


TWO_POSITIONS = (
    Held(
        "09:21:07",
        29_005,
        150,
        (Out("09:22:00", 29_505, LOT, codes.TAKE_PROFIT), Out("09:23:30.5", 29_105, LOT, codes.TRAILING_STOP)),
    ),
    Held("10:00:00", 30_000, 75, (Out("11:05:09", 28_500, LOT, codes.STOP_LOSS),)),
)


def rich_record(rates: ChargeRates = SCHEDULE) -> RunRecord:
    """Return a record that has something of everything: two symbols and days, rejects, denials, a halt, a position left."""
    symbols = ("NIFTY07OCT2524900CE", "NIFTY07OCT2524900PE")
    later = (
        Held("09:30:00", 20_000, 75, (Out("15:10:00", 20_500, LOT, codes.SESSION_END),), DAY_2, 1),
        Held("15:20:00", 21_000, 150, (Out("15:21:00", 21_500, LOT, codes.TAKE_PROFIT),), DAY_2, 1),
    )
    record = make_record((*TWO_POSITIONS, *later), rates=rates, symbols=symbols, days=(DAY_1, DAY_2))
    halt = NO_COMMAND._replace(
        kind=codes.HALTED, instrument=-1, time_ns=at("15:22:00", DAY_2), reason=codes.BY_OPERATOR, sequence=99
    )
    halts = np.array([halt], dtype=dtype_of(Command))
    record = counted(record, COUNT_TICKS=1000, COUNT_OPEN_TICKS=250, COUNT_OFF_GRID=3, COUNT_QUOTE_FALLBACK=1)
    counts = record.counts
    counts[0, codes.COUNT_REJECTED + codes.TIME_BACKWARDS] = 7
    counts[1, codes.COUNT_REJECTED + codes.UNPARSABLE_PRICE] = 1
    counts[0, codes.COUNT_GATES + codes.GREEN] = 400
    counts[1, codes.COUNT_GATES + codes.SIGNAL] = 50
    counts[0, codes.COUNT_DENIED + codes.SIZE] = 4
    examples = {
        "time_backwards": (RejectedExample("a <b>.csv", 17), RejectedExample("a <b>.csv", 29)),
        "unparsable_price": (RejectedExample("b.csv", 3),),
    }
    return replace(record, halts=halts, rejected_examples=examples, notices=("NFO <was> closed",))
