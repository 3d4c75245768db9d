"""Entries: the rules that may refuse one whose signal is true, its size, and the order."""

from typing import Any, NamedTuple

import numpy as np

from myquant.core import codes
from myquant.core.account import count_order, emit, equity, order_rate_reached, reserve_again
from myquant.core.compiled import inlined
from myquant.core.money import OrderCosts, order_costs, order_slices, share_down, total
from myquant.core.orders import SENT
from myquant.core.pricing import buy_price, quote_is_usable
from myquant.core.records import NO_COMMAND, NO_ORDER, Account, Atr, Day, Event, Instrument, Rules, Tape


class Approval(NamedTuple):
    """The verdict on an entry: the reason of a refusal, or what may be bought at which expected price."""

    denial: int
    quantity: int
    price: int
    stop_distance: int
    cost: int  # charges included


@inlined
def green_needed(after_stop: bool, rules: Rules) -> int:
    """Return how many rising ticks in a row an entry needs; more after a stop loss, where that rule is on."""
    return rules.control_base_sl_green_ticks if rules.control_base_sl and after_stop else rules.green_ticks


@inlined
def gate_shut(instrument: Instrument, day: Day, rules: Rules) -> int:
    """Return the first gate that holds an entry back, or 0: warm-up, hours, entries per day, green ticks."""
    tape = instrument.tape
    if tape.n < rules.min_warmup_ticks:
        return codes.WARM_UP
    if tape.last_ns < day.entry_from_ns or tape.last_ns >= day.entry_end_ns:
        return codes.OUTSIDE_HOURS
    if instrument.history.entries_today >= rules.max_positions_per_day:
        return codes.MAX_POSITIONS
    if tape.green < green_needed(instrument.history.after_stop, rules):
        return codes.GREEN
    return 0


@inlined
def approve(account: Account, tape: Tape, atr: Atr, level: float, day: Day, rules: Rules) -> Approval:
    """Return the size of an entry, or the first rule that refuses it. `level`: the stop of the strategy's, rupees."""
    if account.halt != codes.NOT_HALTED or account.flatten:
        return _denied(codes.HALT)
    if account.day_stopped:
        return _denied(codes.DAY_STOPPED)
    if account.feed_stale:
        return _denied(codes.FEED_STALE)
    if order_rate_reached(account, rules, tape.last_ns):
        return _denied(codes.ORDER_RATE)
    if rules.fill_model == codes.FILL_AT_QUOTE and not quote_is_usable(tape):
        return _denied(codes.NO_QUOTE)
    if rules.stop_mode == codes.STOP_BY_ATR and atr.changes < rules.atr_len:
        return _denied(codes.STOP_NOT_WARM)
    price = buy_price(tape, rules)
    distance = 0
    if rules.stop_mode == codes.STOP_BY_STRATEGY:
        if not np.isfinite(level) or level * 100.0 >= price:
            return _denied(codes.STOP_NOT_WARM)
        distance = price - int(np.floor(level * 100.0 + 0.5))
    return _size(account, price, distance, day, rules)


@inlined
def _denied(reason: int) -> Approval:
    return Approval(reason, 0, 0, 0, 0)


@inlined
def _size(account: Account, price: int, stop_distance: int, day: Day, rules: Rules) -> Approval:
    """Return whole lots within the share of cash that one position may take; charges must be affordable besides.

    What other entries have ordered and not yet paid is no longer cash, and is exposure already. Nor is cash what the
    broker does not let us spend.
    """
    cash = account.cash - account.reserved - account.shortfall
    lots = share_down(cash, rules.position_rate) // (day.lot_size * price) if cash > 0 else 0
    if lots == 0:
        return _denied(codes.SIZE)
    quantity = lots * day.lot_size
    turnover = quantity * price
    cost = turnover + entry_charges(day, turnover, quantity)
    if cost > cash:
        return _denied(codes.CASH)
    exposure = account.open_value + account.reserved + turnover
    if exposure > share_down(equity(account), rules.exposure_rate):
        return _denied(codes.EXPOSURE)
    return Approval(codes.APPROVED, quantity, price, stop_distance, cost)


@inlined
def costs_of(day: Day, side: int, turnover: int, quantity: int) -> OrderCosts:
    """Return what an order of this day costs; a quantity above the freeze counts once per slice."""
    slices = order_slices(quantity, day.freeze_quantity, day.lot_size)
    return order_costs(day.charges, side, turnover, slices)


@inlined
def entry_charges(day: Day, turnover: int, quantity: int) -> int:
    """Return what buying this much would cost in charges, paise."""
    return total(costs_of(day, codes.BUY, turnover, quantity))


@inlined
def submit_entry(
    account: Account,
    instrument: Instrument,
    approval: Approval,
    day: Day,
    event: Event,
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Send the order of an approved entry."""
    now = instrument.tape.last_ns
    account = count_order(account, now)
    order = NO_ORDER._replace(
        id=account.orders,
        state=SENT,
        side=codes.BUY,
        quantity=approval.quantity,
        price=approval.price,
        stop_distance=approval.stop_distance,
        cost=approval.cost,
        leave_ns=day.flatten_ns,
        sent_ns=now,
        asked_ns=now,
    )
    account = reserve_again(account, NO_ORDER, order)
    command = NO_COMMAND._replace(
        kind=codes.SUBMIT,
        instrument=event.instrument,
        time_ns=now,
        event_sequence=event.sequence,
        order_id=order.id,
        side=order.side,
        quantity=order.quantity,
        price=order.price,
    )
    return emit(commands, account, command), instrument._replace(order=order)


@inlined
def count_denied(
    account: Account,
    instrument: Instrument,
    approval: Approval,
    event: Event,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> Account:
    """Count a refused entry and report it with its reason."""
    counts[codes.COUNT_DENIED + approval.denial] += 1
    command = NO_COMMAND._replace(
        kind=codes.DENIED,
        instrument=event.instrument,
        time_ns=event.time_ns,
        event_sequence=event.sequence,
        price=instrument.tape.last_price,
        reason=approval.denial,
    )
    return emit(commands, account, command)
