"""What an order costs: the percent model, the dated schedule of Indian index options, and a day's contract note.

This is the plain decimal form. The compiled ledger of the engine computes the same in integers, and the two are tested
against each other. Amounts come out in whole paise.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from myquant.errors import DataError
from myquant.market.contracts import Right
from myquant.market.tables import on_day, rows

Side = Literal["buy", "sell"]

_PAISE = 100
_REMEDY = 'set charges.model = "percent" and its rates'
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class ChargeRates:
    """The rates of one day. Every percentage is of turnover, except GST's.

    Brokerage is `commission_percent` of the turnover, but at least `brokerage_per_order` (rupees), which is due once
    per slice where `per_slice`. GST is due on brokerage, exchange charge and SEBI fee, as rounded or before.
    """

    model: Literal["percent", "india_index_options"]
    brokerage_per_order: Decimal
    commission_percent: Decimal
    exchange_percent: Decimal
    sebi_percent: Decimal
    stt_sell_percent: Decimal
    stamp_buy_percent: Decimal
    gst_percent: Decimal
    gst_on: Literal["rounded", "unrounded"]
    per_slice: bool


@dataclass(frozen=True)
class Charges:
    """What was charged, paise."""

    brokerage: int
    exchange: int
    sebi: int
    stt: int
    stamp: int
    gst: int

    @property
    def total(self) -> int:
        """The sum of the parts, paise."""
        return self.brokerage + self.exchange + self.sebi + self.stt + self.stamp + self.gst


@dataclass(frozen=True)
class NoteTotals(Charges):
    """The charges of a contract note, paise: STT and stamp duty in whole rupees."""


class Order(NamedTuple):
    """One executed order, as a contract note lists it."""

    side: Side
    price_paise: int
    quantity: int
    slices: int = 1


@dataclass(frozen=True)
class Stt:
    """Securities transaction tax on sold options, percent of the premium."""

    sell_percent: Decimal
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class ExchangeCharge:
    """An exchange's charge on the options of some indices, percent of the premium, each side."""

    exchange: str
    underlyings: list[str]
    percent: Decimal
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class Levy:
    """SEBI's fee, stamp duty and GST, percent."""

    sebi_percent: Decimal
    stamp_buy_percent: Decimal
    gst_percent: Decimal
    valid_from: date
    valid_to: date
    source: str


@dataclass(frozen=True)
class Brokerage:
    """A broker's charge, rupees per executed order."""

    broker: str
    per_order: Decimal
    valid_from: date
    valid_to: date
    source: str


@cache
def stt_rates() -> tuple[Stt, ...]:
    """Return the schedule's securities transaction tax."""
    return rows("charges", "stt", Stt)


@cache
def exchange_charges() -> tuple[ExchangeCharge, ...]:
    """Return the schedule's exchange charges."""
    return rows("charges", "exchange_charge", ExchangeCharge)


@cache
def levies() -> tuple[Levy, ...]:
    """Return the schedule's levies."""
    return rows("charges", "levy", Levy)


@cache
def brokerages() -> tuple[Brokerage, ...]:
    """Return the schedule's brokerage plans."""
    return rows("charges", "brokerage", Brokerage)


@lru_cache(64)
def percent_rates(
    *,
    commission_percent: Decimal,
    commission_per_trade: Decimal,
    stt_percent: Decimal,
    exchange_charges_percent: Decimal,
    gst_percent: Decimal,
) -> ChargeRates:
    """Return the rates of the model "percent" from the keys of the config's section `charges`."""
    return ChargeRates(
        model="percent",
        brokerage_per_order=commission_per_trade,
        commission_percent=commission_percent,
        exchange_percent=exchange_charges_percent,
        sebi_percent=_NOTHING,
        stt_sell_percent=stt_percent,
        stamp_buy_percent=_NOTHING,
        gst_percent=gst_percent,
        gst_on="rounded",
        per_slice=False,
    )


def schedule_rates(day: date, exchange: str, broker: str, underlying: str, right: Right | None = None) -> ChargeRates:
    """Return the rates of index options on a day, from `data/charges.toml`.

    Without a right the ticks are taken as an option's. Raises DataError for a future, and for a day, an underlying or a
    broker that the schedule does not cover.
    """
    if right == "FUT":
        raise DataError(f"the charge schedule covers index options, not futures on {underlying}: {_REMEDY}")
    charge = on_day(
        (row for row in exchange_charges() if row.exchange == exchange and underlying in row.underlyings), day
    )
    if charge is None:
        raise DataError(f"the charge schedule has no {exchange} charge on {underlying} options for {day}: {_REMEDY}")
    plan = on_day((row for row in brokerages() if row.broker == broker), day)
    if plan is None:
        known = ", ".join(sorted({row.broker for row in brokerages()}))
        raise DataError(f"the charge schedule has no brokerage of {broker!r} for {day} (it has {known}): {_REMEDY}")
    stt, levy = on_day(stt_rates(), day), on_day(levies(), day)
    if stt is None or levy is None:
        raise DataError(f"the charge schedule has no taxes for {day}: {_REMEDY}")
    return ChargeRates(
        model="india_index_options",
        brokerage_per_order=plan.per_order,
        commission_percent=_NOTHING,
        exchange_percent=charge.percent,
        sebi_percent=levy.sebi_percent,
        stt_sell_percent=stt.sell_percent,
        stamp_buy_percent=levy.stamp_buy_percent,
        gst_percent=levy.gst_percent,
        gst_on="unrounded",
        per_slice=True,
    )


def order_charges(rates: ChargeRates, side: Side, price_paise: int, quantity: int, *, slices: int = 1) -> Charges:
    """Return what one order costs, each part rounded half up to the paisa."""
    exact = _exact(rates, Order(side, price_paise, quantity, slices))
    return _with_gst(exact.rounded(), exact, rates)


def contract_note(orders: Iterable[Order], rates: ChargeRates) -> NoteTotals:
    """Return the charges of one day's orders as a contract note bills them.

    The exact parts are summed over the day before they are rounded once: STT and stamp duty to the rupee, the others to
    the paisa, half up. Source of the rule: it reproduces a broker's calculator panels and contract notes.
    """
    day = _Exact.sum(_exact(rates, order) for order in orders)
    charges = _with_gst(day.rounded(), day, rates)
    return NoteTotals(
        brokerage=charges.brokerage,
        exchange=charges.exchange,
        sebi=charges.sebi,
        stt=_half_up(day.stt / _PAISE) * _PAISE,
        stamp=_half_up(day.stamp / _PAISE) * _PAISE,
        gst=charges.gst,
    )


def slices(quantity: int, freeze_quantity: int | None, lot_size: int) -> int:
    """Return how many orders of whole lots, none above the freeze quantity (None: none known), carry a quantity.

    Raises DataError where not even one lot fits.
    """
    if freeze_quantity is None:
        return 1
    largest = freeze_quantity // lot_size * lot_size
    if largest == 0:
        raise DataError(f"a freeze quantity of {freeze_quantity} holds no lot of {lot_size}: set instrument.lot_size")
    return -(-quantity // largest)


class _Exact(NamedTuple):
    """The parts that GST is not, paise and their fractions."""

    brokerage: Decimal = _NOTHING
    exchange: Decimal = _NOTHING
    sebi: Decimal = _NOTHING
    stt: Decimal = _NOTHING
    stamp: Decimal = _NOTHING

    @classmethod
    def sum(cls, parts: "Iterable[_Exact]") -> "_Exact":
        return cls(*(sum(column, _NOTHING) for column in zip(cls(), *parts, strict=True)))

    def rounded(self) -> "_Exact":
        return _Exact(*(Decimal(_half_up(part)) for part in self))


def _exact(rates: ChargeRates, order: Order) -> _Exact:
    # Decimal's 28 digits hold every product here: turnovers have at most 16, percentages of six decimals 9.
    turnover = Decimal(order.price_paise * order.quantity)
    orders = order.slices if rates.per_slice else 1
    least = rates.brokerage_per_order * _PAISE * orders
    return _Exact(
        brokerage=max(least, _share(turnover, rates.commission_percent)),
        exchange=_share(turnover, rates.exchange_percent),
        sebi=_share(turnover, rates.sebi_percent),
        stt=_share(turnover, rates.stt_sell_percent) if order.side == "sell" else _NOTHING,
        stamp=_share(turnover, rates.stamp_buy_percent) if order.side == "buy" else _NOTHING,
    )


def _with_gst(rounded: _Exact, exact: _Exact, rates: ChargeRates) -> Charges:
    base = rounded if rates.gst_on == "rounded" else exact
    gst = _share(base.brokerage + base.exchange + base.sebi, rates.gst_percent)
    return Charges(
        brokerage=int(rounded.brokerage),
        exchange=int(rounded.exchange),
        sebi=int(rounded.sebi),
        stt=int(rounded.stt),
        stamp=int(rounded.stamp),
        gst=_half_up(gst),
    )


def _share(amount: Decimal, percent: Decimal) -> Decimal:
    return amount * percent / 100


def _half_up(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_HALF_UP))
