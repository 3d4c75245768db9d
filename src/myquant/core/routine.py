"""The parts of the engine that know no strategy: a refused tick, a new day, marks, order answers, operators."""

from typing import Any

import numpy as np

from myquant.core import codes
from myquant.core.account import DAY_NS, count_mark, emit, equity, observe_equity, open_account_day
from myquant.core.compiled import inlined
from myquant.core.fills import halt
from myquant.core.indicators import wilder
from myquant.core.orders import IMPOSSIBLE, ON_CANCEL, ON_REJECT, ON_TIMEOUT, SENT, UNKNOWN, is_working, next_state
from myquant.core.records import (
    NO_COMMAND,
    Account,
    Atr,
    Context,
    Day,
    Event,
    Instrument,
    Order,
    Position,
    Rules,
    Tape,
    Tick,
)
from myquant.core.working import hold_exposure

PAISE: float = 100.0  # in a rupee


@inlined
def tick_of(tape: Tape, volume: int, new_day: bool) -> Tick:
    """Return the last accepted tick as a strategy sees it."""
    price = tape.last_price
    return Tick(tape.last_ns, price / PAISE, price, volume, tape.bid, tape.ask, tape.n, new_day)


@inlined
def context_of(account: Account, instrument: Instrument) -> Context:
    """Return what a strategy may know besides the tick. What it does not read costs nothing: it is compiled away."""
    position, history = instrument.position, instrument.history
    return Context(
        position.quantity,
        position.entry_price / PAISE,
        position.stop / PAISE,
        max(position.highest, position.entry_price) / PAISE,
        position.opened_ns,
        history.last_exit,
        history.last_exit_ns,
        history.entries_today,
        instrument.tape.green,
        (equity(account) - account.day_start_equity) / PAISE,
    )


@inlined
def update_atr(atr: Atr, price: int, previous: int, length: int) -> Atr:
    """Return the average true range, rupees, after a price in paise: of ticks it is the average size of the moves."""
    changes = atr.changes + 1
    return Atr(changes, wilder(atr.value, changes, abs(price / PAISE - previous / PAISE), length))


@inlined
def reject_tick(
    account: Account, reason: int, event: Event, counts: np.ndarray[Any, Any], commands: np.ndarray[Any, Any]
) -> Account:
    """Count a tick that can't be used and report it; nothing else changes."""
    counts[codes.COUNT_REJECTED + reason] += 1
    command = NO_COMMAND._replace(
        kind=codes.TICK_REJECTED,
        instrument=event.instrument,
        time_ns=event.time_ns,
        event_sequence=event.sequence,
        reason=reason,
    )
    return emit(commands, account, command)


@inlined
def open_day(
    account: Account, instrument: Instrument, day: Day, event: Event, rules: Rules
) -> tuple[Account, Instrument]:
    """Start a calendar day: entries count anew; with `reset_daily` the indicators do too."""
    if event.time_ns >= account.day_end_ns:
        account = open_account_day(account, day, event.time_ns)
    tape = instrument.tape._replace(day_end_ns=day.end_ns)
    history = instrument.history._replace(entries_today=0)
    if rules.reset_daily:
        return account, instrument._replace(tape=tape._replace(n=0, green=0), atr=Atr(0, 0.0), history=history)
    return account, instrument._replace(tape=tape, history=history)


@inlined
def mark(
    account: Account, instrument: Instrument, event: Event, rules: Rules, commands: np.ndarray[Any, Any]
) -> tuple[Account, Instrument]:
    """Report price, cash, equity and drawdown as the last tick left them, once per interval of exchange time.

    The interval doubles whenever marks grow too many, up to a day, so that their number stays in bounds.
    """
    tape = instrument.tape
    account = observe_equity(account)
    if tape.last_price > 0:
        command = NO_COMMAND._replace(
            kind=codes.MARK,
            instrument=event.instrument,
            time_ns=tape.last_ns,
            event_sequence=event.sequence,
            position_id=instrument.position.id,
            quantity=instrument.position.quantity,
            price=tape.last_price,
        )
        account = count_mark(emit(commands, account, command), rules)
    interval = min(rules.mark_interval_ns << account.mark_doublings, DAY_NS)
    following = (event.time_ns // interval + 1) * interval
    return account, instrument._replace(tape=tape._replace(wake_ns=min(following, tape.day_end_ns)))


@inlined
def answer_order(
    account: Account,
    instrument: Instrument,
    happening: int,
    event: Event,
    rules: Rules,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Instrument]:
    """Take an answer that fills nothing. One for an earlier order is counted; an impossible one halts."""
    order = instrument.order
    if happening == ON_REJECT and event.code == codes.COUNTS_NOW:
        return _count_reject(account, rules, event, commands), instrument
    if event.order_id != order.id:
        counts[codes.COUNT_STALE_ORDER_EVENT] += 1
        return account, instrument
    state = next_state(order.state, happening)
    if state == IMPOSSIBLE:
        return halt(account, codes.BY_IMPOSSIBLE_EVENT, event, commands), instrument
    if happening == ON_REJECT and state != order.state:
        order = order._replace(asked_ns=event.time_ns)
        if event.code == codes.NOT_SENT:
            counts[codes.COUNT_NOT_SENT] += 1
        else:
            counts[codes.COUNT_ORDER_REJECTS] += 1
            if event.code != codes.IN_DOUBT:
                account = _count_reject(account, rules, event, commands)
    if happening == ON_CANCEL and state != order.state and not order.cancel_sent:
        order = order._replace(asked_ns=event.time_ns)  # nobody had asked for it: the venue has its reasons
    return account, instrument._replace(order=order._replace(state=state))


@inlined
def _count_reject(account: Account, rules: Rules, event: Event, commands: np.ndarray[Any, Any]) -> Account:
    """Count one more order in a row that was refused; too many halt."""
    account = account._replace(rejects_in_row=account.rejects_in_row + 1)
    return halt(account, codes.BY_REJECTS, event, commands) if account.rejects_in_row >= rules.max_rejects else account


@inlined
def answer_change(order: Order, event: Event, counts: np.ndarray[Any, Any]) -> Order:
    """Take the answer to a modification or a cancellation; one that nothing is waited for is counted."""
    if event.order_id != order.id or not is_working(order.state):
        counts[codes.COUNT_STALE_ORDER_EVENT] += 1
        return order
    if event.kind == codes.CHANGE_REJECT and (order.asked_price > 0 or order.cancel_sent):
        counts[codes.COUNT_CHANGE_REJECTS] += 1
        exits = (order.trigger == 0 or order.reached_ns != 0) and order.state != UNKNOWN  # else it waits for evidence
        refused = codes.CANCEL_INSTEAD if order.asked_price > 0 and exits else 0
        return order._replace(asked_price=refused, asked_trigger=0, asked_ns=event.time_ns)
    if event.kind == codes.CHANGE_REJECT or order.asked_price <= 0:
        counts[codes.COUNT_STALE_ORDER_EVENT] += 1
        return order
    return order._replace(price=order.asked_price, trigger=order.asked_trigger, asked_price=0, asked_trigger=0)


@inlined
def time_out_order(
    account: Account,
    order: Order,
    event: Event,
    rules: Rules,
    counts: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> tuple[Account, Order]:
    """Make an order without an answer one of unknown state: entries halt, and nothing is sent again.

    A modification without an answer may be asked for again: it can't happen twice.
    """
    if order.asked_price > 0 and event.time_ns - order.asked_ns >= rules.order_timeout_ns:
        counts[codes.COUNT_CHANGE_TIMEOUTS] += 1
        order = order._replace(asked_price=0, asked_trigger=0)
    if order.state != SENT or event.time_ns - order.sent_ns < rules.order_timeout_ns:
        return account, order
    before, halts = account.halt, account.halts
    account = halt(account, codes.BY_UNKNOWN_ORDER, event._replace(order_id=order.id), commands)
    account = account._replace(unknown=account.unknown + 1)
    if before != codes.NOT_HALTED:
        account = account._replace(halt=before, halts=halts)
    return account, order._replace(state=next_state(order.state, ON_TIMEOUT))


@inlined
def resolve_unknown(
    account: Account, before: Order, after: Order, event: Event, commands: np.ndarray[Any, Any]
) -> Account:
    """Note that there is evidence of an order of unknown state; after the last of them entries go on."""
    if before.state != UNKNOWN or after.state == UNKNOWN:
        return account
    account = account._replace(unknown=account.unknown - 1)
    if account.unknown > 0 or account.halt != codes.BY_UNKNOWN_ORDER:
        return account
    command = NO_COMMAND._replace(
        kind=codes.RESUMED,
        instrument=event.instrument,
        time_ns=event.time_ns,
        event_sequence=event.sequence,
        order_id=event.order_id,
        reason=account.halt,
    )
    return emit(commands, account._replace(halt=codes.NOT_HALTED, halts=0), command)


@inlined
def note_funds(account: Account, event: Event) -> Account:
    """Take what the broker lets us spend, of which working entries have taken their part already.

    Ids that its books have of this session are taken, whatever the journal may have lost: the next order is another one.
    """
    shortfall = max(0, account.cash - account.reserved - event.value)
    return account._replace(shortfall=shortfall, orders=max(account.orders, event.order_id))


@inlined
def note_feed(account: Account, instrument: Instrument, event: Event) -> tuple[Account, Instrument]:
    """Take what the feed says of itself; the time since when it is stale is that of the first such word."""
    if event.sequence != account.feed_word:
        account = account._replace(was_stale=account.feed_stale, feed_word=event.sequence)
    instrument = hold_exposure(instrument, account.was_stale, event.time_ns)
    stale = event.code != codes.FEED_HEALTHY
    since = account.stale_since_ns if stale and account.feed_stale else event.time_ns
    return account._replace(feed_stale=stale, stale_since_ns=since if stale else 0), instrument


@inlined
def halt_if_blind(
    account: Account, position: Position, event: Event, rules: Rules, commands: np.ndarray[Any, Any]
) -> Account:
    """Halt when a position has been open without a feed for too long."""
    if not account.feed_stale or position.quantity == 0 or account.halt != codes.NOT_HALTED:
        return account
    if event.time_ns - account.stale_since_ns < rules.stale_halt_ns:
        return account
    return halt(account, codes.BY_STALE_FEED, event, commands)


@inlined
def ask_operator(account: Account, event: Event, commands: np.ndarray[Any, Any]) -> Account:
    """Do what an operator asks of the account: halt entries, resume them, or flatten (entries wait for a resume).

    A wish that is not known halts. No resume lifts the day's loss limit.
    """
    if event.code == codes.ASK_RESUME:
        return account._replace(halt=codes.NOT_HALTED, halts=0, flatten=False, rejects_in_row=0)
    if event.code == codes.ASK_FLATTEN:
        return account._replace(flatten=True)
    return halt(account, codes.BY_OPERATOR, event, commands)
