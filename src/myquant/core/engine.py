"""The engine: what each event does. State in, state out; commands go to the outbox.

This source is the template of every specialised engine: the import from `slot` is what changes (see `slot`).
"""

from typing import Any

import numpy as np

from myquant.core import codes
from myquant.core.account import loses_too_much, observe_equity, reserve_again, stop_day
from myquant.core.compiled import inlined
from myquant.core.days import find_day
from myquant.core.entries import approve, count_denied, gate_shut, submit_entry
from myquant.core.exits import (
    Exit,
    entry_is_unwanted,
    exit_due,
    leave,
    submit_exit,
    tier_quantity,
    trail,
)
from myquant.core.fills import apply_fill, finish_order, halt, take_foreign_trade
from myquant.core.guard import count_green, off_grid, refuse
from myquant.core.layout import record_access
from myquant.core.orders import ON_ACK, ON_CANCEL, ON_REJECT, is_working
from myquant.core.probe import INDICATORS, POSITION, SIGNAL, lap
from myquant.core.records import NO_ORDER, Account, Day, Event, Instrument, Position, Rules, Tape, Tick
from myquant.core.routine import (
    answer_change,
    answer_order,
    ask_operator,
    context_of,
    halt_if_blind,
    mark,
    note_feed,
    note_funds,
    open_day,
    reject_tick,
    resolve_unknown,
    tick_of,
    time_out_order,
    update_atr,
)
from myquant.core.slot import FIRST_STATE, HAS_EXIT, HAS_STOP, Params, State, entry, exit_, stop, update
from myquant.core.working import cancel_order, cut_down, is_exposed_too_long, let_go, note_exposure, settle_places, tend

store_day, peek_day = record_access(Day).store, record_access(Day).peek

# What an observed tick may ask for.
NOTHING = 0
ENTRY = 1
EXIT = 2


@inlined
def interrupted(tape: Tape, event: Event) -> bool:
    """Return whether a tick needs more than to be observed: it can't be used, begins a day, or a mark is due."""
    refusal = refuse(tape.last_ns, event.time_ns, event.price, event.volume)
    return refusal != codes.ACCEPTED or event.time_ns >= tape.wake_ns or tape.n < 1


@inlined
def observe(
    instrument: Instrument,
    state: State,
    day: Day,
    event: Event,
    new_day: bool,
    rules: Rules,
    params: Params,
    memory: np.ndarray[Any, Any],
) -> tuple[Instrument, State]:
    """Take an accepted tick into the tape and the indicators."""
    tape, atr = instrument.tape, instrument.atr
    n = tape.n + 1
    green = 0 if n == 1 else count_green(tape.green, event.price, tape.last_price, day.tick_size, rules)
    if rules.stop_mode == codes.STOP_BY_ATR and n > 1:
        atr = update_atr(atr, event.price, tape.last_price, rules.atr_len)
    tape = Tape(event.time_ns, event.price, event.bid, event.ask, n, green, tape.day_end_ns, tape.wake_ns)
    state = update(state, tick_of(tape, event.volume, new_day), params, memory)
    return instrument._replace(tape=tape, atr=atr), state


@inlined
def follow(account: Account, position: Position, last_price: int, price: int, rules: Rules) -> tuple[Account, Position]:
    """Take a price into the value of an open position and its trailing stop.

    Peak and drawdown take the equity that a tick has left behind, its fills included, before the next change of it: here,
    after a tick that asks for nothing, before an entry, at a mark and at the end.
    """
    if position.quantity == 0:
        return account, position
    account = observe_equity(account)
    moved = position.quantity * (price - last_price)
    return account._replace(open_value=account.open_value + moved), trail(position, price, rules)


@inlined
def count_ticks(counts: np.ndarray[Any, Any], ticks: int, off_grid_ticks: int, position: Position) -> None:
    """Count accepted ticks, those of them with a price off the grid, and those that arrived with a position open."""
    counts[codes.COUNT_TICKS] += ticks
    counts[codes.COUNT_OFF_GRID] += off_grid_ticks
    if position.quantity > 0:
        counts[codes.COUNT_OPEN_TICKS] += ticks


@inlined
def judge(
    account: Account,
    instrument: Instrument,
    state: State,
    day: Day,
    event: Event,
    new_day: bool,
    rules: Rules,
    params: Params,
    counts: np.ndarray[Any, Any],
) -> int:
    """Return what a tick that has been observed asks for: `NOTHING`, `ENTRY`, or to look at the position (`EXIT`).

    A position that is open now was open when the tick arrived, so no entry follows an exit on the same tick.
    """
    tick = tick_of(instrument.tape, event.volume, new_day)
    if instrument.position.quantity > 0:
        reason = due_exit(account, instrument, state, tick, event.time_ns, rules, params)
        due = reason != codes.NO_EXIT or loses_too_much(account, rules) or rules.works_orders
        return EXIT if due else NOTHING
    if is_working(instrument.order.state):
        return EXIT if entry_is_unwanted(account, instrument.order, rules, event.time_ns) else NOTHING
    if rules.works_orders and is_working(instrument.stop_order.state):
        return EXIT
    gate = gate_shut(instrument, day, rules)
    if gate == 0 and not entry(state, tick, context_of(account, instrument), params):
        gate = codes.SIGNAL
    if gate != 0:
        counts[codes.COUNT_GATES + gate] += 1
        return NOTHING
    return ENTRY


@inlined
def due_exit(
    account: Account,
    instrument: Instrument,
    state: State,
    tick: Tick,
    time_ns: int,
    rules: Rules,
    params: Params,
) -> int:
    """Return the first exit that applies, or `NO_EXIT`. The strategy's own comes last.

    During warm-up (a position may be open then where each day starts one) only an operator's wish counts.
    """
    if instrument.tape.n < rules.min_warmup_ticks:
        return codes.OPERATOR_EXIT if account.flatten else codes.NO_EXIT
    reason = exit_due(account, instrument.position, instrument.tape.last_price, time_ns)
    if HAS_EXIT and reason == codes.NO_EXIT and exit_(state, tick, context_of(account, instrument), params):
        reason = codes.STRATEGY_EXIT
    return reason


@inlined
def on_tick(
    account: Account,
    instrument: Instrument,
    state: State,
    day_record: Any,
    event: Event,
    rules: Rules,
    params: Params,
    days: np.ndarray[Any, Any],
    counts: np.ndarray[Any, Any],
    memory: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
    probe: np.ndarray[Any, Any],
) -> tuple[Account, Instrument, State]:
    """Take one tick: refuse it, or observe it and then do what it asks for. `day_record` holds the instrument's day."""
    tape = instrument.tape
    refusal = refuse(tape.last_ns, event.time_ns, event.price, event.volume)
    if refusal != codes.ACCEPTED:
        return reject_tick(account, refusal, event, counts, commands), instrument, state
    new_day = event.time_ns >= tape.day_end_ns
    if new_day:
        store_day(day_record, find_day(days, event.instrument, event.time_ns))
        account, instrument = open_day(account, instrument, peek_day(day_record), event, rules)
        if rules.reset_daily:
            state = FIRST_STATE
    day = peek_day(day_record)
    if event.time_ns >= tape.wake_ns:
        account, instrument = mark(account, instrument, event, rules, commands)
    strays = 1 if off_grid(event.price, day.tick_size, day.grid) else 0
    count_ticks(counts, 1, strays, instrument.position)
    account, position = follow(account, instrument.position, instrument.tape.last_price, event.price, rules)
    instrument = instrument._replace(position=position)
    lap(probe, POSITION)
    instrument, state = observe(instrument, state, day, event, new_day, rules, params, memory)
    lap(probe, INDICATORS)
    due = judge(account, instrument, state, day, event, new_day, rules, params, counts)
    lap(probe, SIGNAL)
    if due != NOTHING:
        account, instrument = act(due, account, instrument, state, day, event, new_day, rules, params, counts, commands)
    elif position.quantity > 0:
        account = observe_equity(account)
    return account, instrument, state


@inlined
def act(
    due: int,
    account: Account,
    instrument: Instrument,
    state: State,
    day: Day,
    event: Event,
    new_day: bool,
    rules: Rules,
    params: Params,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Do what an observed tick asks for: send an exit, or approve or deny an entry."""
    tick = tick_of(instrument.tape, event.volume, new_day)
    if due == EXIT:
        return manage(account, instrument, state, tick, event, rules, params, counts, commands)
    account = observe_equity(account)
    level = 0.0
    if HAS_STOP:
        level = stop(state, tick, context_of(account, instrument), params)
    approval = approve(account, instrument.tape, instrument.atr, level, day, rules)
    if approval.denial != codes.APPROVED:
        return count_denied(account, instrument, approval, event, counts, commands), instrument
    return submit_entry(account, instrument, approval, day, event, commands)


@inlined
def manage(
    account: Account,
    instrument: Instrument,
    state: State,
    tick: Tick,
    event: Event,
    rules: Rules,
    params: Params,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Stop the day if it has lost too much; send the exit that is due, if one is. A timer's time counts as well.

    An entry that still works is cancelled once it is unwanted.
    """
    if rules.works_orders:
        instrument = settle_places(instrument)
    if loses_too_much(account, rules):
        account = stop_day(account, event, commands)
    if entry_is_unwanted(account, instrument.order, rules, event.time_ns):
        account, order = cancel_order(account, instrument.order, rules, event, commands)
        instrument = instrument._replace(order=order)
    if rules.works_orders:
        account, instrument = cut_down(account, instrument, rules, event, commands)
    position = instrument.position
    if position.quantity == 0:
        return let_go(account, instrument, rules, event, commands) if rules.works_orders else (account, instrument)
    reason = due_exit(account, instrument, state, tick, event.time_ns, rules, params)
    if reason == codes.NO_EXIT and is_exposed_too_long(account, position, rules, event.time_ns):
        account = halt(account, codes.BY_UNPROTECTED, event, commands)
        reason = codes.UNPROTECTED_EXIT
    if reason != codes.NO_EXIT:
        quantity = tier_quantity(position, rules) if reason >= codes.TAKE_PROFIT else position.quantity
        account, instrument = leave(account, instrument, Exit(reason, quantity), rules, event, counts, commands)
    elif rules.works_orders:
        account, instrument = tend(account, instrument, rules, event, commands)
    return account, note_exposure(instrument, rules, event.time_ns)


@inlined
def on_answer(
    account: Account,
    instrument: Instrument,
    state: State,
    day: Day,
    event: Event,
    rules: Rules,
    params: Params,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Take what became of an order. A position that is left after an exit or a cancellation is looked at again."""
    stop_order = instrument.stop_order
    of_stop = event.order_id == stop_order.id and event.order_id != 0
    other = instrument.order if of_stop else stop_order
    before = stop_order if of_stop else instrument.order
    account, instrument = take_answer(account, instrument._replace(order=before), day, event, rules, counts, commands)
    after = instrument.order
    instrument = instrument._replace(order=other if of_stop else after, stop_order=after if of_stop else other)
    account = resolve_unknown(account, before, after, event, commands)
    sold = before.side == codes.SELL
    ended = is_working(before.state) and not is_working(after.state)
    if event.kind == codes.FILL and not sold and loses_too_much(account, rules):
        account = stop_day(account, event, commands)
    again = (sold and event.kind == codes.FILL) or event.kind == codes.CANCELLED
    if (ended and again) or rules.works_orders:
        tick = tick_of(instrument.tape, 0, False)
        account, instrument = manage(account, instrument, state, tick, event, rules, params, counts, commands)
    return account, instrument


@inlined
def take_answer(
    account: Account,
    instrument: Instrument,
    day: Day,
    event: Event,
    rules: Rules,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Take an answer to `instrument.order`, or what someone else has sold, into the books."""
    before = instrument.order
    if event.kind == codes.FOREIGN_TRADE:
        return take_foreign_trade(account, instrument, day, rules, event, commands)
    if event.kind == codes.FILL:
        account, instrument = apply_fill(account, instrument, day, rules, event, counts, commands)
    elif event.kind == codes.ORDER_ACK:
        account, instrument = answer_order(account, instrument, ON_ACK, event, rules, counts, commands)
    elif event.kind == codes.ORDER_REJECT:
        account, instrument = answer_order(account, instrument, ON_REJECT, event, rules, counts, commands)
    elif event.kind == codes.CANCELLED:
        account, instrument = answer_order(account, instrument, ON_CANCEL, event, rules, counts, commands)
    else:
        instrument = instrument._replace(order=answer_change(before, event, counts))
    account = reserve_again(account, before, instrument.order)
    ended = is_working(before.state) and not is_working(instrument.order.state)
    if ended and event.kind != codes.FILL:
        account, instrument = finish_order(account, instrument, day, rules, event, commands)
    return account, instrument


@inlined
def on_notice(
    account: Account,
    instrument: Instrument,
    state: State,
    event: Event,
    rules: Rules,
    params: Params,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Take a quote, a timer, the feed's status, an operator's wish, an alarm or the end of the data."""
    if event.kind == codes.END_OF_DATA:
        return end_data(account, instrument, event, rules, counts, commands)
    if event.kind == codes.FEED_STATUS:
        return note_feed(account, instrument, event)
    if event.kind == codes.QUOTE:
        return account, instrument._replace(tape=instrument.tape._replace(bid=event.bid, ask=event.ask))
    if event.kind == codes.OPERATOR:
        account = ask_operator(account, event, commands)
    elif event.kind == codes.FUNDS:
        return note_funds(account, event), instrument
    elif event.kind == codes.ALARM:
        account = halt(account, event.code, event, commands)
    elif event.kind == codes.TIMER:
        account, order = time_out_order(account, instrument.order, event, rules, counts, commands)
        account, stop_order = time_out_order(account, instrument.stop_order, event, rules, counts, commands)
        instrument = instrument._replace(order=order, stop_order=stop_order)
        account = halt_if_blind(account, instrument.position, event, rules, commands)
    else:
        raise ValueError("an event of unknown kind")
    works = is_working(instrument.order.state) or is_working(instrument.stop_order.state)
    if instrument.position.quantity > 0 or works:
        tick = tick_of(instrument.tape, 0, False)
        account, instrument = manage(account, instrument, state, tick, event, rules, params, counts, commands)
    return account, instrument


@inlined
def end_data(
    account: Account,
    instrument: Instrument,
    event: Event,
    rules: Rules,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Take the end of the data: close what is open at the last price, or take the last mark."""
    if event.code == codes.LAST_MARK:
        return mark(account, instrument, event, rules, commands)
    held = instrument.position.quantity
    if held == 0 or is_working(instrument.order.state):
        return account, instrument
    event = event._replace(time_ns=instrument.tape.last_ns)
    instrument = instrument._replace(stop_order=NO_ORDER)  # the exchange has ended, too
    account, order = submit_exit(account, instrument, Exit(codes.END_EXIT, held), rules, event, counts, commands)
    return account, instrument._replace(order=order)
