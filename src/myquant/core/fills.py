"""What the answers to an order do: to the order, the position, the cash and the books."""

from typing import Any

import numpy as np

from myquant.core import codes
from myquant.core.account import emit, settle
from myquant.core.compiled import inlined
from myquant.core.entries import costs_of
from myquant.core.exits import initial_stop, tier_target
from myquant.core.money import OrderCosts, divide_half_up, proportion_down, total
from myquant.core.orders import (
    CANCELLED,
    FILLED,
    IMPOSSIBLE,
    ON_FULL_FILL,
    ON_PART_FILL,
    REJECTED,
    is_working,
    next_state,
)
from myquant.core.records import (
    NEVER,
    NO_COMMAND,
    NO_ORDER,
    NO_POSITION,
    Account,
    Atr,
    Day,
    Event,
    History,
    Instrument,
    Order,
    Position,
    Rules,
)


@inlined
def halt(account: Account, reason: int, event: Event, commands: np.ndarray[Any, Any]) -> Account:
    """Stop entries until a person resumes; what he has to look into first stays the reason (`codes.GRAVE`).

    A reason is told once: what holds for a while, as a position without a stop order, is found at every event.
    """
    stays = account.halt in codes.GRAVE and reason not in codes.GRAVE
    known = (account.halts >> reason) & 1 == 1
    account = account._replace(halt=account.halt if stays else reason, halts=account.halts | (1 << reason))
    if known:
        return account
    command = NO_COMMAND._replace(
        kind=codes.HALTED,
        instrument=event.instrument,
        time_ns=event.time_ns,
        event_sequence=event.sequence,
        order_id=event.order_id,
        reason=reason,
    )
    return emit(commands, account, command)


@inlined
def _less(now: OrderCosts, before: OrderCosts) -> OrderCosts:
    return OrderCosts(
        now.brokerage - before.brokerage,
        now.exchange - before.exchange,
        now.sebi - before.sebi,
        now.stt - before.stt,
        now.stamp - before.stamp,
        now.gst - before.gst,
    )


@inlined
def _covered(order: Order) -> Order:
    """Return an order with what it has filled of what was held: what a sell has filled beyond that is in no book of ours.

    What that brought is owed to whoever buys it back, so it is no profit; the halt says that a person has to.
    """
    return order._replace(filled=order.filled - order.uncovered, value=order.value - order.uncovered_value)


@inlined
def _costs_so_far(day: Day, order: Order) -> OrderCosts:
    """Return what the filled part of an order costs; nothing is due on an order without a fill."""
    if order.filled == 0:
        return OrderCosts(0, 0, 0, 0, 0, 0)
    return costs_of(day, order.side, order.value, order.filled)


@inlined
def apply_fill(
    account: Account,
    instrument: Instrument,
    day: Day,
    rules: Rules,
    event: Event,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Book the part of an order that has filled since its last report; a report that adds nothing is counted.

    A fill of an order that was said to be dead is one of the books all the same: it is booked, and entries halt. So is
    what an entry bought that the journal has lost, where nothing else is held or at work.
    """
    if event.code == codes.OF_LOST_ORDER and _is_idle(instrument, event):
        instrument = instrument._replace(order=_lost_entry(event, rules))
    order = instrument.order
    if event.order_id != order.id or event.quantity <= order.filled:
        counts[codes.COUNT_STALE_ORDER_EVENT] += 1
        return account, instrument
    happening = ON_FULL_FILL if event.quantity >= order.quantity else ON_PART_FILL
    late = rules.works_orders and order.state in (REJECTED, CANCELLED)
    state = order.state if late else next_state(order.state, happening)
    if state == IMPOSSIBLE or event.quantity > order.quantity or event.value <= order.value:
        return halt(account, codes.BY_IMPOSSIBLE_EVENT, event, commands), instrument
    filled = order._replace(state=state, filled=event.quantity, value=event.value)
    held = instrument.position.quantity
    if order.side == codes.SELL:
        filled = _uncover(filled, order, held)
    if late or filled.uncovered > order.uncovered:  # it was believed dead; or someone else had sold it, too
        account = halt(account, codes.BY_BOOKS, event, commands)
    before, after = _covered(order), _covered(filled)
    units = after.filled - before.filled
    costs = _less(_costs_so_far(day, after), _costs_so_far(day, before))
    account = settle(
        account._replace(rejects_in_row=0),
        -order.side * (after.value - before.value),
        order.side * units * instrument.tape.last_price,
        costs,
    )
    if order.side == codes.BUY:
        account, instrument = _bought(account, instrument._replace(order=filled), order, costs, day, rules, event)
    else:
        instrument = instrument._replace(order=filled, position=instrument.position._replace(quantity=held - units))
    if late:
        return _report_late(account, instrument, order, held, total(costs), rules, event, commands)
    if not is_working(state):
        return finish_order(account, instrument, day, rules, event, commands)
    return account, instrument


@inlined
def _is_idle(instrument: Instrument, event: Event) -> bool:
    """Return whether nothing is held or at work, on a day that has begun."""
    works = is_working(instrument.order.state) or is_working(instrument.stop_order.state)
    return instrument.position.quantity == 0 and not works and event.time_ns < instrument.tape.day_end_ns


@inlined
def _lost_entry(event: Event, rules: Rules) -> Order:
    """Return an entry that the journal has lost as one that was believed dead. A stop of the strategy's went with it."""
    return NO_ORDER._replace(
        id=event.order_id,
        state=CANCELLED,
        side=codes.BUY,
        quantity=event.quantity,
        stop_distance=rules.base_sl,
        sent_ns=event.time_ns,
    )


@inlined
def _uncover(filled: Order, before: Order, held: int) -> Order:
    """Note what a sell has filled since its last report beyond what was held, at the average of that."""
    units, value = filled.filled - before.filled, filled.value - before.value
    if units <= held:
        return filled
    beyond = value - proportion_down(value, held, units)
    return filled._replace(uncovered=before.uncovered + units - held, uncovered_value=before.uncovered_value + beyond)


@inlined
def _report_late(
    account: Account,
    instrument: Instrument,
    before: Order,
    held: int,
    charges: int,
    rules: Rules,
    event: Event,
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Report what an order has filled that had ended already: a position that there was none of, or a trade of its own."""
    order = instrument.order
    if order.side == codes.BUY:
        if held == 0:
            account = _report_opened(account, instrument, event, commands)
        return account, instrument
    after, earlier = _covered(order), _covered(before)
    part = after._replace(filled=after.filled - earlier.filled, value=after.value - earlier.value)
    if part.filled == 0:
        return account, instrument
    account, sold = _close(account, instrument._replace(order=part), charges, rules, event, commands)
    return account, sold._replace(order=order)


@inlined
def _bought(
    account: Account, instrument: Instrument, before: Order, costs: OrderCosts, day: Day, rules: Rules, event: Event
) -> tuple[Account, Instrument]:
    """Add what was bought to the position; its stop and its targets hang on the average fill price."""
    order, position, history = instrument.order, instrument.position, instrument.history
    if position.quantity == 0:
        account = account._replace(positions=account.positions + 1)
        history = history._replace(entries_today=history.entries_today + 1, after_stop=False)
        position = NO_POSITION._replace(
            id=account.positions,
            lot_size=day.lot_size,
            opened_ns=event.time_ns,
            leave_ns=day.flatten_ns,
            tick_size=day.tick_size,
        )
    position = _add_units(position, order, before, total(costs), instrument.atr, day, rules)
    return account, instrument._replace(position=position, history=history)


@inlined
def _add_units(
    position: Position, order: Order, before: Order, charges: int, atr: Atr, day: Day, rules: Rules
) -> Position:
    units = order.filled - before.filled
    bought = position.bought + units
    entry_value = position.entry_value + order.value - before.value
    entry_price = divide_half_up(entry_value, bought)
    stop = initial_stop(entry_price, order.stop_distance, atr, day, rules)
    return position._replace(
        quantity=position.quantity + units,
        bought=bought,
        entry_value=entry_value,
        entry_price=entry_price,
        entry_charges=position.entry_charges + charges,
        stop=stop,
        activation=entry_price + rules.trail_activation if rules.use_trail_stop else NEVER,
        floor=max(position.floor, stop) if position.floor > position.stop else stop,
        highest=position.highest if position.highest > position.entry_price else entry_price - 1,
        target=tier_target(entry_price, 0, rules),
    )


@inlined
def finish_order(
    account: Account, instrument: Instrument, day: Day, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Instrument]:
    """Report what an order that has ended did: a position opened, or a trade (one row per exit)."""
    order = instrument.order
    sold = _covered(order)
    if sold.filled == 0:
        return account, instrument
    if order.side == codes.BUY:
        if instrument.position.quantity > 0:  # else what it had bought is sold already
            account = _report_opened(account, instrument, event, commands)
        return account, instrument
    paid = total(_costs_so_far(day, sold))
    account, closed = _close(account, instrument._replace(order=sold), paid, rules, event, commands)
    return account, closed._replace(order=order)


@inlined
def _close(
    account: Account, instrument: Instrument, paid: int, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Instrument]:
    """Report the trade that `instrument.order` has made, for which charges of `paid` paise are due."""
    order, position = instrument.order, instrument.position
    closed = position.quantity == 0
    entry_value = (
        position.entry_value - position.value_out
        if closed
        else proportion_down(position.entry_value, order.filled, position.bought)
    )
    entry_charges = (
        position.entry_charges - position.charges_out
        if closed
        else proportion_down(position.entry_charges, order.filled, position.bought)
    )
    account = account._replace(trades=account.trades + 1)
    gross = order.value - entry_value
    charges = entry_charges + paid
    command = NO_COMMAND._replace(
        kind=codes.TRADE_CLOSED,
        instrument=event.instrument,
        time_ns=event.time_ns,
        event_sequence=event.sequence,
        order_id=order.id,
        position_id=position.id,
        trade_id=account.trades,
        side=order.side,
        quantity=order.filled,
        price=divide_half_up(order.value, order.filled),
        reason=order.reason,
        entry_time_ns=position.opened_ns,
        entry_price=position.entry_price,
        gross=gross,
        charges=charges,
        net=gross - charges,
        stop=position.stop,
    )
    account = emit(commands, account, command)
    return account, _after_exit(instrument, entry_value, entry_charges, closed, rules, event)


@inlined
def _report_opened(account: Account, instrument: Instrument, event: Event, commands: np.ndarray[Any, Any]) -> Account:
    order, position = instrument.order, instrument.position
    command = NO_COMMAND._replace(
        kind=codes.POSITION_OPENED,
        instrument=event.instrument,
        time_ns=event.time_ns,
        event_sequence=event.sequence,
        order_id=order.id,
        position_id=position.id,
        side=order.side,
        quantity=position.bought,
        price=position.entry_price,
        charges=position.entry_charges,
        entry_time_ns=position.opened_ns,
        entry_price=position.entry_price,
        stop=position.stop,
    )
    return emit(commands, account, command)


@inlined
def _after_exit(
    instrument: Instrument, entry_value: int, entry_charges: int, closed: bool, rules: Rules, event: Event
) -> Instrument:
    """Carry the exit's share out of the position, and remember how it ended."""
    order, position, history = instrument.order, instrument.position, instrument.history
    history = History(
        history.entries_today,
        order.reason == codes.STOP_LOSS if closed else history.after_stop,
        order.reason,
        event.time_ns,
    )
    if closed:
        return instrument._replace(position=NO_POSITION, history=history)
    tier = position.tier + 1 if order.reason >= codes.TAKE_PROFIT else position.tier
    position = position._replace(
        value_out=position.value_out + entry_value,
        charges_out=position.charges_out + entry_charges,
        tier=tier,
        target=tier_target(position.entry_price, tier, rules) if tier < rules.tiers else NEVER,
    )
    return instrument._replace(position=position, history=history)


@inlined
def take_foreign_trade(
    account: Account, instrument: Instrument, day: Day, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Instrument]:
    """Take what someone else has sold out of an open position, at most all of it, for a trade; and halt."""
    position = instrument.position
    units = min(position.quantity, event.quantity)
    if units > 0:
        value = proportion_down(event.value, units, event.quantity)
        order = NO_ORDER._replace(
            state=FILLED, side=codes.SELL, quantity=units, filled=units, value=value, reason=codes.FOREIGN_EXIT
        )
        account = settle(account, value, -units * instrument.tape.last_price, costs_of(day, codes.SELL, value, units))
        sold = instrument._replace(order=order, position=position._replace(quantity=position.quantity - units))
        account, sold = finish_order(account, sold, day, rules, event, commands)
        instrument = sold._replace(order=instrument.order)
    return halt(account, codes.BY_FOREIGN_TRADE, event, commands), instrument
