"""Exits: the trailing stop, which exit is due, and its order."""

from typing import Any, NamedTuple

import numpy as np

from myquant.core import codes
from myquant.core.account import count_order, emit
from myquant.core.compiled import inlined
from myquant.core.money import RATE_SCALE
from myquant.core.orders import SENT, is_working
from myquant.core.pricing import quote_is_usable, sell_price
from myquant.core.records import (
    NEVER,
    NO_COMMAND,
    NO_ORDER,
    Account,
    Atr,
    Day,
    Event,
    Instrument,
    Order,
    Position,
    Rules,
)
from myquant.core.working import (
    cancel_order,
    is_exit,
    is_reached,
    is_refused_of_late,
    press,
    submit_stop,
    tend,
    unfilled,
)


class Exit(NamedTuple):
    """An exit that is due: its reason (0: none) and the units to sell."""

    reason: int
    quantity: int


@inlined
def trail(position: Position, price: int, rules: Rules) -> Position:
    """Raise the highest price and, once it has reached the activation, the floor behind it.

    The tick that reaches the activation is itself the highest, and highest less distance never falls: so this is the
    trailing stop that turns on at price less distance and is the higher of itself and highest less distance afterwards.
    """
    if price <= position.highest:
        return position
    highest = price
    behind = highest - rules.trail_distance
    floor = max(position.floor, behind) if highest >= position.activation else position.floor
    return position._replace(highest=highest, floor=floor)


@inlined
def exit_due(account: Account, position: Position, price: int, time_ns: int) -> int:
    """Return the first exit that applies, or `NO_EXIT`. Levels are tested against the last traded price."""
    if position.leave_ns != NEVER and time_ns >= position.leave_ns:
        return codes.SESSION_END
    if price <= position.floor:
        return codes.STOP_LOSS if price <= position.stop else codes.TRAILING_STOP
    if account.day_stopped:
        return codes.DAY_LOSS
    if account.flatten:
        return codes.OPERATOR_EXIT
    if price >= position.target:
        return codes.TAKE_PROFIT + position.tier
    return codes.NO_EXIT


@inlined
def entry_is_unwanted(account: Account, order: Order, rules: Rules, time_ns: int) -> bool:
    """Return whether an entry that still works must be cancelled.

    Entries are stopped, positions are closed by now, or it has had its time.
    """
    if not is_working(order.state) or order.side == codes.SELL:
        return False
    if rules.works_orders and time_ns - order.sent_ns >= rules.entry_life_ns:
        return True
    stopped = account.halt != codes.NOT_HALTED or account.flatten or account.day_stopped
    return stopped or time_ns >= order.leave_ns


@inlined
def tier_quantity(position: Position, rules: Rules) -> int:
    """Return the units that the next take-profit tier sells: the last one all that is left."""
    if position.tier >= rules.tiers - 1:
        return position.quantity
    lots = max(1, position.bought // position.lot_size * rules.tp_rates[position.tier] // RATE_SCALE)
    return min(position.quantity, lots * position.lot_size)


@inlined
def tier_target(entry_price: int, tier: int, rules: Rules) -> int:
    """Return the price of a take-profit tier, paise."""
    return entry_price + rules.tp_points[tier]


@inlined
def initial_stop(entry_price: int, stop_distance: int, atr: Atr, day: Day, rules: Rules) -> int:
    """Return the stop that belongs to an entry at its average fill price, paise; percent and ATR floor to the tick."""
    if rules.stop_mode == codes.STOP_BY_POINTS:
        return entry_price - rules.base_sl
    if rules.stop_mode == codes.STOP_BY_PERCENT:
        # The price is far below 9e10 paise, so the product stays inside 64 bits.
        return entry_price * (RATE_SCALE - rules.stop_rate) // (RATE_SCALE * day.tick_size) * day.tick_size
    if rules.stop_mode == codes.STOP_BY_ATR:
        return int(np.floor((entry_price - rules.atr_multiple * atr.value * 100.0) / day.tick_size)) * day.tick_size
    return (entry_price - stop_distance) // day.tick_size * day.tick_size


@inlined
def submit_exit(
    account: Account,
    instrument: Instrument,
    due: Exit,
    rules: Rules,
    event: Event,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Order]:
    """Send the order of an exit, and return it."""
    now = event.time_ns
    if rules.fill_model == codes.FILL_AT_QUOTE and not quote_is_usable(instrument.tape):
        counts[codes.COUNT_QUOTE_FALLBACK] += 1
    account = count_order(account, now)
    order = NO_ORDER._replace(
        id=account.orders,
        state=SENT,
        side=codes.SELL,
        quantity=due.quantity,
        price=sell_price(instrument.tape, rules),
        reason=due.reason,
        sent_ns=now,
        asked_ns=now,
    )
    command = NO_COMMAND._replace(
        kind=codes.SUBMIT,
        instrument=event.instrument,
        time_ns=now,
        event_sequence=event.sequence,
        order_id=order.id,
        position_id=instrument.position.id,
        side=order.side,
        quantity=order.quantity,
        price=order.price,
        reason=order.reason,
    )
    return emit(commands, account, command), order


@inlined
def leave(
    account: Account,
    instrument: Instrument,
    due: Exit,
    rules: Rules,
    event: Event,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Do what an exit that is due asks for now: first the cancellation of what works otherwise, then its order.

    Where a price has reached the stop order, that is the exit. What an exit leaves of the position gets a stop order anew.
    An exit of all that is held does not wait for the end of its entry; what more the entry buys is sold in turn.
    """
    order, stop, position = instrument.order, instrument.stop_order, instrument.position
    enters = is_working(order.state) and order.side == codes.BUY
    if enters:
        account, order = cancel_order(account, order, rules, event, commands)
        instrument = instrument._replace(order=order)
    aside = enters and rules.works_orders and due.quantity == position.quantity
    waits = is_exit(stop) or (is_working(order.state) and not aside) or _was_refused(instrument, enters, event, rules)
    if waits:
        return tend(account, instrument, rules, event, commands) if rules.works_orders else (account, instrument)
    if is_working(stop.state):
        if due.quantity == position.quantity == unfilled(stop) and is_reached(stop, instrument.tape.last_price):
            account, stop = press(account, stop, instrument.tape, rules, event, commands)
        else:
            account, stop = cancel_order(account, stop, rules, event, commands)
        return account, instrument._replace(stop_order=stop)
    account, order = submit_exit(account, instrument, due, rules, event, counts, commands)
    instrument = instrument._replace(stop_order=order) if aside else instrument._replace(order=order)
    rest = position.quantity - due.quantity
    if rules.protects and rest > 0:
        account, stop = submit_stop(account, position, rest, event, commands)
        instrument = instrument._replace(stop_order=stop)
    return account, instrument


@inlined
def _was_refused(instrument: Instrument, enters: bool, event: Event, rules: Rules) -> bool:
    """Return whether an exit was refused so recently that the next one has to wait.

    Of one in the stop order's place only the stop order that took the place again tells: it gets its time as well.
    """
    order, stop = instrument.order, instrument.stop_order
    if not enters:
        return is_refused_of_late(order, event.time_ns, rules)
    if stop.trigger == 0:
        return is_refused_of_late(stop, event.time_ns, rules)
    return stop.refused_ns != 0 and not stop.cancel_sent and event.time_ns - stop.refused_ns < rules.exit_retry_ns
