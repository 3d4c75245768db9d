"""The two ways to drive an engine: a whole batch against the instant exchange, or one event at a time.

This source, too, is a template: its imports from `engine` and `slot` are what a specialised one changes.
"""

from typing import Any, NamedTuple

import numpy as np

from myquant.core import codes
from myquant.core.compiled import entry_point, inlined, outlined
from myquant.core.days import lacks_day
from myquant.core.engine import NOTHING, act, interrupted, judge, observe, on_answer, on_notice, on_tick
from myquant.core.layout import record_access
from myquant.core.orders import SENT
from myquant.core.records import Account, Day, Event, Instrument, Rules
from myquant.core.slot import Params, State
from myquant.exchange.instant import fill_at_once

load_account, store_account = record_access(Account)[1:]
load_instrument, store_instrument = record_access(Instrument)[1:]
load_state, store_state = record_access(State)[1:]
load_event = record_access(Event).load
load_rules = record_access(Rules).load
load_params = record_access(Params).load
load_day, store_day = record_access(Day)[1:]

OUTBOX_MARGIN = 64  # a tick emits fewer commands than this


class Columns(NamedTuple):
    """A batch of ticks, int64 columns of one length; `bid`, `ask`, `instrument` have length 0 where there is none."""

    time_ns: np.ndarray[Any, Any]
    price: np.ndarray[Any, Any]
    volume: np.ndarray[Any, Any]
    bid: np.ndarray[Any, Any]
    ask: np.ndarray[Any, Any]
    instrument: np.ndarray[Any, Any]


@inlined
def _tick_event(columns: Columns, i: int, who: int, sequence: int) -> Event:
    at = np.uint64(i)  # an unsigned index is not checked for counting from the end
    bid = ask = 0
    if len(columns.bid) > 0:
        bid, ask = columns.bid[at], columns.ask[at]
    return Event(
        codes.TICK, who, sequence, columns.time_ns[at], 0, columns.price[at], columns.volume[at], bid, ask, 0, 0, 0, 0
    )


@inlined
def _glide(
    columns: Columns,
    begin: int,
    end: int,
    who: int,
    sequence: int,
    desk: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
) -> tuple[int, int]:
    """Take ticks as long as they only have to be observed, the state in registers.

    Returns where it stopped, and what that tick asks for after it was observed (`NOTHING`: it is not observed yet).
    """
    record = instruments[who]
    counts, memory = record["counts"], record["memory"]
    account = load_account(desk[0]["account"])
    rules = load_rules(desk[0]["rules"])
    params = load_params(desk[0]["params"])
    instrument = load_instrument(record["core"])
    state = load_state(record["strategy"])
    day = load_day(record["day"])
    due = NOTHING
    i = begin
    while i < end:
        event = _tick_event(columns, i, who, sequence + i)
        if interrupted(instrument.tape, event):
            break
        account, instrument, state = observe(
            account, instrument, state, day, event, False, rules, params, counts, memory
        )
        due = judge(account, instrument, state, day, event, False, rules, params, counts)
        if due != NOTHING:
            break
        i += 1
    counts[codes.COUNT_TICKS] += i - begin + (1 if due != NOTHING else 0)
    store_account(desk[0]["account"], account)
    store_instrument(record["core"], instrument)
    store_state(record["strategy"], state)
    return i, due


@outlined
def _act_one(
    due: int,
    event: Event,
    desk: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> None:
    """Do what one tick asks for and let the instant exchange answer until no order waits.

    `due` is `NOTHING` for a tick that has not been observed.
    """
    record = instruments[event.instrument]
    counts = record["counts"]
    account = load_account(desk[0]["account"])
    rules = load_rules(desk[0]["rules"])
    params = load_params(desk[0]["params"])
    instrument = load_instrument(record["core"])
    state = load_state(record["strategy"])
    day = load_day(record["day"])
    if due == NOTHING:
        account, instrument, state, day = on_tick(
            account, instrument, state, day, event, rules, params, days, counts, record["memory"], commands
        )
    else:
        account, instrument = act(
            due, account, instrument, state, day, event, False, rules, params, counts, commands
        )
    while instrument.order.state == SENT:
        fill = fill_at_once(instrument.order, instrument.tape, rules, event)
        account, instrument = on_answer(account, instrument, state, day, fill, rules, params, counts, commands)
    store_account(desk[0]["account"], account)
    store_instrument(record["core"], instrument)
    store_state(record["strategy"], state)
    store_day(record["day"], day)


@entry_point
def run(
    columns: Columns,
    begin: int,
    sequence: int,
    desk: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> int:
    """Run a batch of ticks from `begin` on against the instant exchange; return the first tick not yet taken.

    It stops early when the outbox is nearly full (drain the commands and call again), or before a tick whose day has not
    been prepared in `days` (prepare it and call again). `sequence` is the input sequence of the batch's first tick.
    """
    count = len(columns.time_ns)
    full = desk[0]["account"]["commands"] + len(commands) - OUTBOX_MARGIN
    i = begin
    while i < count and desk[0]["account"]["commands"] < full:
        who, end = 0, count
        if len(columns.instrument) > 0:
            who, end = columns.instrument[i], i + 1
            while end < count and columns.instrument[end] == who:
                end += 1
        i, due = _glide(columns, i, end, who, sequence, desk, instruments)
        if i < end:
            event = _tick_event(columns, i, who, sequence + i)
            tape = instruments[who]["core"]["tape"]
            if due == NOTHING and lacks_day(tape["last_ns"], tape["day_end_ns"], days[who], event):
                return i
            _act_one(due, event, desk, instruments, days, commands)
            i += 1
    return i


@inlined
def _step_one(
    who: int,
    event: Event,
    desk: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> None:
    record = instruments[who]
    counts, memory = record["counts"], record["memory"]
    account = load_account(desk[0]["account"])
    rules = load_rules(desk[0]["rules"])
    params = load_params(desk[0]["params"])
    instrument = load_instrument(record["core"])
    state = load_state(record["strategy"])
    day = load_day(record["day"])
    if event.kind == codes.TICK:
        account, instrument, state, day = on_tick(
            account, instrument, state, day, event, rules, params, days, counts, memory, commands
        )
        store_state(record["strategy"], state)
        store_day(record["day"], day)
    elif event.kind in (codes.FILL, codes.ORDER_ACK, codes.ORDER_REJECT, codes.CANCELLED):
        account, instrument = on_answer(account, instrument, state, day, event, rules, params, counts, commands)
    else:
        account, instrument = on_notice(account, instrument, state, day, event, rules, params, counts, commands)
    store_account(desk[0]["account"], account)
    store_instrument(record["core"], instrument)


@entry_point
def step(
    desk: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
    events: np.ndarray[Any, Any],
    at: int,
    commands: np.ndarray[Any, Any],
) -> int:
    """Take the event `events[at]` and return the number of commands emitted so far in all.

    The new ones are the last of the outbox ring `commands`. An event for all instruments (-1) is taken by each in turn.
    """
    event = load_event(events[at])
    if event.instrument >= 0:
        _step_one(event.instrument, event, desk, instruments, days, commands)
    else:
        for who in range(len(instruments)):
            _step_one(who, event._replace(instrument=who), desk, instruments, days, commands)
    return int(desk[0]["account"]["commands"])

