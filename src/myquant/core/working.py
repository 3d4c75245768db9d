"""Orders that take their time: the stop order that protects a position, exits that are re-priced, what is asked again.

Quantities of working sells never sum to more than is held: an exit waits until the stop order is known to be gone, and a
new stop order covers what the exit leaves. Where an entry that has filled in part has not ended, the exit of what is held
takes the stop order's place (`is_exit`), and the order's own once that is free (`settle_places`).
"""

from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.account import SECOND_NS, count_order, emit
from myquant.core.compiled import inlined
from myquant.core.money import share_down
from myquant.core.orders import CANCELLED, PARTIAL, REJECTED, SENT, UNKNOWN, WORKING, is_working
from myquant.core.pricing import sell_price
from myquant.core.records import NO_COMMAND, NO_ORDER, Account, Event, Instrument, Order, Position, Rules, Tape

DEEPEST: Final = 10  # protections below the market that an exit may go
STEADY_NS: Final = SECOND_NS  # an order at the exchange that is gone sooner has protected nothing


@inlined
def is_resting(order: Order) -> bool:
    """Return whether the exchange is known to have an order that may still fill."""
    return order.state in (WORKING, PARTIAL)


@inlined
def unfilled(order: Order) -> int:
    """Return the units that an order may still fill."""
    return order.quantity - order.filled if is_working(order.state) else 0


@inlined
def is_exit(stop: Order) -> bool:
    """Return whether an exit works in the place of the stop order: the entry of what it sells has not ended."""
    return is_working(stop.state) and stop.trigger == 0


@inlined
def settle_places(instrument: Instrument) -> Instrument:
    """Let an exit in the stop order's place, and the entry that it could not wait for, change places once that has ended."""
    order, stop = instrument.order, instrument.stop_order
    if is_exit(stop) and not is_working(order.state):
        return instrument._replace(order=stop, stop_order=order)
    return instrument


@inlined
def may_ask(order: Order, now_ns: int, spacing_ns: int) -> bool:
    """Return whether something more may be asked of an order: nothing is under way, and the last was long enough ago."""
    return order.asked_price == 0 and not order.cancel_sent and now_ns - order.asked_ns >= spacing_ns


@inlined
def is_refused_of_late(order: Order, now_ns: int, rules: Rules) -> bool:
    """Return whether a sell was refused, or cancelled unasked, so recently that another one has to wait.

    One that is cancelled counts from when it was sent: one that has worked for a while is replaced at once, and one that
    is cancelled again and again is sent no oftener than one that is refused.
    """
    refused = order.state == REJECTED
    ended = refused or (order.state == CANCELLED and not order.cancel_sent)
    since_ns = order.asked_ns if refused else order.sent_ns
    return rules.works_orders and ended and order.side == codes.SELL and now_ns - since_ns < rules.exit_retry_ns


@inlined
def cancel_order(
    account: Account, order: Order, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Order]:
    """Ask for a cancellation: once, and again where no answer came. An order of unknown state waits for evidence."""
    again = rules.works_orders and is_resting(order) and event.time_ns - order.asked_ns >= rules.order_timeout_ns
    if order.state == UNKNOWN or (order.cancel_sent and not again):
        return account, order
    command = NO_COMMAND._replace(
        kind=codes.CANCEL,
        instrument=event.instrument,
        time_ns=event.time_ns,
        event_sequence=event.sequence,
        order_id=order.id,
        side=order.side,
        quantity=order.quantity - order.filled,
    )
    return emit(commands, account, command), order._replace(cancel_sent=True, asked_ns=event.time_ns)


@inlined
def ask_for_price(
    account: Account,
    order: Order,
    price: int,
    trigger: int,
    event: Event,
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Order]:
    """Ask for another price of a resting order, and another trigger of a stop order."""
    command = NO_COMMAND._replace(
        kind=codes.MODIFY,
        instrument=event.instrument,
        time_ns=event.time_ns,
        event_sequence=event.sequence,
        order_id=order.id,
        side=order.side,
        quantity=order.quantity,
        price=price,
        reason=order.reason,
        stop=trigger,
    )
    order = order._replace(asked_price=price, asked_trigger=trigger, asked_ns=event.time_ns)
    return emit(commands, account, command), order


@inlined
def reprice(
    account: Account, order: Order, tape: Tape, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Order]:
    """Give a sell that has not filled in time the price of the moment; one that may get no other price has to go.

    Where the market has not moved, nobody buys at its limit: it goes down by the protection of one order more, up to ten
    of them below the market. Of one of unknown state some slices may be known to work: the price is for those, and for the
    others once they are found.
    """
    if order.asked_price == codes.CANCEL_INSTEAD:
        return cancel_order(account, order, rules, event, commands)
    works = is_resting(order) or order.state == UNKNOWN
    if not works or not may_ask(order, event.time_ns, rules.reprice_ns):
        return account, order
    market = sell_price(tape, rules)
    price = min(market, order.price)
    if price == order.price:
        lowest = market - DEEPEST * share_down(market, rules.protection_rate)
        price = max(1, lowest, price - max(1, share_down(price, rules.protection_rate)))
    if price >= order.price:
        return account, order
    return ask_for_price(account, order, price, order.trigger, event, commands)


@inlined
def press(
    account: Account, order: Order, tape: Tape, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Order]:
    """Let a stop order that a price has reached be the exit: the exchange fills it, else it is re-priced like one."""
    if order.cancel_sent:
        return cancel_order(account, order, rules, event, commands)
    if order.reached_ns == 0:
        return account, order._replace(reached_ns=event.time_ns, asked_ns=event.time_ns)
    return reprice(account, order, tape, rules, event, commands)


@inlined
def is_reached(order: Order, price: int) -> bool:
    """Return whether a price has reached a stop order and is there still.

    One that was touched while the order was under way, and has come back, has triggered nothing.
    """
    return is_working(order.state) and price <= order.trigger


@inlined
def stop_trigger(position: Position) -> int:
    """Return the trigger of a position's stop order: its stop or trailing stop, down to the price grid, paise."""
    return max(position.tick_size, position.floor // position.tick_size * position.tick_size)


@inlined
def submit_stop(
    account: Account, position: Position, quantity: int, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Order]:
    """Send a stop order for so many units of a position."""
    now = event.time_ns
    account = count_order(account, now)
    trigger = stop_trigger(position)
    order = NO_ORDER._replace(
        id=account.orders,
        state=SENT,
        side=codes.SELL,
        quantity=quantity,
        price=trigger,
        trigger=trigger,
        reason=codes.TRAILING_STOP if position.floor > position.stop else codes.STOP_LOSS,
        sent_ns=now,
        asked_ns=now,
    )
    command = NO_COMMAND._replace(
        kind=codes.SUBMIT,
        instrument=event.instrument,
        time_ns=now,
        event_sequence=event.sequence,
        order_id=order.id,
        position_id=position.id,
        side=order.side,
        quantity=order.quantity,
        price=order.price,
        reason=order.reason,
        stop=trigger,
    )
    return emit(commands, account, command), order


@inlined
def follow(
    account: Account,
    order: Order,
    position: Position,
    rules: Rules,
    event: Event,
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Order]:
    """Let a resting stop order follow the trailing stop."""
    trigger = stop_trigger(position)
    if trigger <= order.trigger or order.reached_ns != 0 or not is_resting(order):
        return account, order
    if not may_ask(order, event.time_ns, rules.stop_follow_ns):
        return account, order
    return ask_for_price(account, order._replace(reason=codes.TRAILING_STOP), trigger, trigger, event, commands)


@inlined
def keep(order: Order, now_ns: int, rules: Rules) -> Order:
    """Return a stop order that is wanted after all: a cancellation that nobody answered is taken back."""
    forgotten = is_resting(order) and order.cancel_sent and now_ns - order.asked_ns >= rules.order_timeout_ns
    return order._replace(cancel_sent=False) if forgotten else order


@inlined
def protect(
    account: Account, instrument: Instrument, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Instrument]:
    """See to it that a stop order rests for all that no exit is selling; one of another quantity is replaced.

    While an entry fills, the stop order of its first part waits for the rest. At a price below the trigger an exit is due.
    """
    order, stop, position = instrument.order, instrument.stop_order, instrument.position
    fills_still = order.side == codes.BUY and is_working(order.state)
    fills_still = fills_still and event.time_ns - order.sent_ns < rules.order_timeout_ns
    wanted = position.quantity - (unfilled(order) if order.side == codes.SELL else 0)
    if is_working(stop.state):
        covered = unfilled(stop)
        if covered > wanted or (covered < wanted and not fills_still):
            account, stop = cancel_order(account, stop, rules, event, commands)
        else:
            account, stop = follow(account, keep(stop, event.time_ns, rules), position, rules, event, commands)
    elif (
        wanted > 0
        and instrument.tape.last_price > stop_trigger(position)
        and (stop.trigger == 0 or not is_refused_of_late(stop, event.time_ns, rules))
    ):
        refused_ns = stop.asked_ns if stop.trigger == 0 and is_refused_of_late(stop, event.time_ns, rules) else 0
        account, stop = submit_stop(account, position, wanted, event, commands)
        stop = stop._replace(refused_ns=refused_ns)
    return account, instrument._replace(stop_order=stop)


@inlined
def cut_down(
    account: Account, instrument: Instrument, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Instrument]:
    """Ask for the cancellation of sells that could be of more than is held: someone else has sold of it."""
    order, stop, held = instrument.order, instrument.stop_order, instrument.position.quantity
    selling = unfilled(order) if order.side == codes.SELL else 0
    if selling > held:
        account, order = cancel_order(account, order, rules, event, commands)
    if unfilled(stop) > 0 and selling + unfilled(stop) > held:
        account, stop = cancel_order(account, stop, rules, event, commands)
    return account, instrument._replace(order=order, stop_order=stop)


@inlined
def tend(
    account: Account, instrument: Instrument, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Instrument]:
    """Look after the orders of an open position that nothing else is due for, or whose exit is at work already."""
    aside = is_exit(instrument.stop_order)
    order = instrument.stop_order if aside else instrument.order
    if order.side == codes.SELL:
        account, order = reprice(account, order, instrument.tape, rules, event, commands)
        instrument = instrument._replace(stop_order=order) if aside else instrument._replace(order=order)
    if aside or not rules.protects:
        return account, instrument
    stop, price = instrument.stop_order, instrument.tape.last_price
    if is_reached(stop, price):
        account, stop = press(account, stop, instrument.tape, rules, event, commands)
        return account, instrument._replace(stop_order=stop)
    instrument = instrument._replace(stop_order=stop._replace(reached_ns=0))
    return protect(account, instrument, rules, event, commands)


@inlined
def let_go(
    account: Account, instrument: Instrument, rules: Rules, event: Event, commands: np.ndarray[Any, Any]
) -> tuple[Account, Instrument]:
    """Ask for the cancellation of what still works for a position that is closed: its stop order, the rest of its entry."""
    order, stop = instrument.order, instrument.stop_order
    if is_working(stop.state):
        account, stop = cancel_order(account, stop, rules, event, commands)
    if is_working(order.state) and order.side == codes.BUY and order.filled > 0:
        account, order = cancel_order(account, order, rules, event, commands)
    return account, instrument._replace(order=order, stop_order=stop)


@inlined
def note_exposure(instrument: Instrument, rules: Rules, now_ns: int) -> Instrument:
    """Note since when orders at the exchange protect or sell less than all of an open position.

    Orders that do so for less than `STEADY_NS` (accepted, then refused) have protected nothing: the time runs on.
    """
    position, order, stop = instrument.position, instrument.order, instrument.stop_order
    if position.quantity == 0 or not rules.protects:
        return instrument
    units = unfilled(stop) if is_resting(stop) else 0
    units += unfilled(order) if is_resting(order) and order.side == codes.SELL else 0
    if position.covered_ns != 0 and now_ns - position.covered_ns >= STEADY_NS:
        position = position._replace(exposed_ns=0, exposed_before_ns=0)
    if units >= position.quantity:
        since_ns = position.covered_ns if position.covered_ns != 0 else now_ns
        return instrument._replace(position=position._replace(covered_ns=since_ns))
    since_ns = position.exposed_ns if position.exposed_ns != 0 else now_ns - position.exposed_before_ns
    return instrument._replace(position=position._replace(covered_ns=0, exposed_ns=since_ns))


@inlined
def hold_exposure(instrument: Instrument, was_stale: bool, now_ns: int) -> Instrument:
    """Hold the time without protection until the event after the feed's word; what passes while it is stale does not count.

    `was_stale`: before this word. Until a packet comes the clock may be that of an earlier process: a leap of it does not
    count either.
    """
    position = instrument.position
    before_ns = position.exposed_before_ns
    if position.exposed_ns != 0 and not was_stale:
        before_ns = max(0, now_ns - position.exposed_ns)
    return instrument._replace(position=position._replace(exposed_ns=0, exposed_before_ns=before_ns))


@inlined
def is_exposed_too_long(account: Account, position: Position, rules: Rules, now_ns: int) -> bool:
    """Return whether an open position has had no stop order for longer than is allowed, with a feed all the while."""
    return (
        rules.protects
        and not account.feed_stale
        and position.exposed_ns != 0
        and position.covered_ns == 0
        and now_ns - position.exposed_ns >= rules.unprotected_max_ns
    )
