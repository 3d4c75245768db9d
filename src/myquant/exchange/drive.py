"""The two ways to drive an engine: a whole batch against the instant exchange, or one event at a time.

This source, too, is a template: its imports from `engine` and `slot` are what a specialised one changes.
"""

from typing import Any, NamedTuple

import numpy as np

from myquant.core import codes
from myquant.core.account import observe_equity
from myquant.core.calm import NO_BAND, after_calm, as_calm, is_calm, next_band
from myquant.core.compiled import entry_point, inlined
from myquant.core.days import lacks_day
from myquant.core.engine import (
    NOTHING,
    act,
    count_ticks,
    end_data,
    interrupted,
    judge,
    observe,
    on_answer,
    on_notice,
    on_tick,
)
from myquant.core.exits import trail
from myquant.core.guard import count_off_grid
from myquant.core.layout import record_access
from myquant.core.orders import SENT
from myquant.core.probe import POSITION, REST, lap
from myquant.core.records import NO_POSITION, Account, Day, Event, Instrument, Rules
from myquant.core.slot import HAS_EXIT, Params, State, as_usual, is_usual
from myquant.exchange.instant import fill_at_once

_account, _instrument, _state = record_access(Account), record_access(Instrument), record_access(State)
load_account, store_account = _account.load, _account.store
load_instrument, store_instrument = _instrument.load, _instrument.store
load_state, store_state = _state.load, _state.store
load_event = record_access(Event).load
load_rules, peek_rules = record_access(Rules).load, record_access(Rules).peek
load_params, peek_params = record_access(Params).load, record_access(Params).peek
load_day, peek_day = record_access(Day).load, record_access(Day).peek

OUTBOX_MARGIN = 64  # a tick emits fewer commands than this

GLIDE = 4096  # ticks at the most in one go, so that they are still at hand when they are counted

# What becomes of an order, and what someone else sells.
ANSWERS = (
    codes.FILL,
    codes.ORDER_ACK,
    codes.ORDER_REJECT,
    codes.CANCELLED,
    codes.MODIFIED,
    codes.CHANGE_REJECT,
    codes.FOREIGN_TRADE,
)

GOES_ON = -1  # what follows a batch (else `Event.code` of END_OF_DATA)


class Columns(NamedTuple):
    """A batch of ticks, int64 columns of one length; `bid`, `ask`, `instrument` have length 0 where there is none."""

    time_ns: np.ndarray[Any, Any]
    price: np.ndarray[Any, Any]
    volume: np.ndarray[Any, Any]
    bid: np.ndarray[Any, Any]
    ask: np.ndarray[Any, Any]
    instrument: np.ndarray[Any, Any]


class Stretch(NamedTuple):
    """Rows of one instrument in a row, from `begin` to `end`; `sequence` is the input sequence of the first of all rows."""

    begin: int
    end: int
    who: int
    sequence: int


@inlined
def _tick_event(quotes: bool, columns: Columns, stretch: Stretch, i: int) -> Event:
    at = np.uint64(i)  # an unsigned index is not checked for counting from the end
    who, sequence = stretch.who, stretch.sequence + i
    bid = ask = 0
    if quotes:
        bid, ask = columns.bid[at], columns.ask[at]
    return Event(
        codes.TICK, who, sequence, columns.time_ns[at], 0, columns.price[at], columns.volume[at], bid, ask, 0, 0, 0, 0
    )


@inlined
def _watch(
    calm: bool,
    quotes: bool,
    columns: Columns,
    stretch: Stretch,
    account: Account,
    instrument: Instrument,
    state: State,
    day: Day,
    rules: Rules,
    params: Params,
    counts: np.ndarray[Any, Any],
    memory: np.ndarray[Any, Any],
) -> tuple[int, int, Account, Instrument, State]:
    """Take ticks as long as they only have to be observed: the hot loop, its state in registers.

    An open position is not even asked at prices inside its band.
    """
    due = NOTHING
    i = stretch.begin
    quantity = instrument.position.quantity
    besides = account.open_value - quantity * instrument.tape.last_price  # what is not of this position
    band = NO_BAND
    while i < stretch.end:
        event = _tick_event(quotes, columns, stretch, i)
        if interrupted(instrument.tape, event):
            break
        instrument, state = observe(instrument, state, day, event, False, rules, params, memory)
        if quantity == 0 or not band.low <= event.price <= band.high:
            if quantity > 0:
                account = observe_equity(account)
                account = account._replace(open_value=besides + quantity * event.price)
                instrument = instrument._replace(position=trail(instrument.position, event.price, rules))
            due = judge(account, instrument, state, day, event, False, rules, params, counts)
            if due != NOTHING:
                break
            if quantity > 0:
                account = observe_equity(account)
                if calm and not HAS_EXIT:
                    band = next_band(band, account, instrument.position, event.price)
        i += 1
    account = account._replace(open_value=besides + quantity * instrument.tape.last_price)
    return i, due, account, instrument, state


@inlined
def _watch_calm(
    quotes: bool,
    columns: Columns,
    stretch: Stretch,
    account: Account,
    instrument: Instrument,
    state: State,
    day: Day,
    rules: Rules,
    params: Params,
    counts: np.ndarray[Any, Any],
    memory: np.ndarray[Any, Any],
) -> tuple[int, int, Account, Instrument, State]:
    """Watch with a position or without: the loop is compiled for each, and what a flat one never needs drops out."""
    if instrument.position.quantity <= 0:
        flat = instrument._replace(position=NO_POSITION)
        return _watch(True, quotes, columns, stretch, account, flat, state, day, rules, params, counts, memory)
    return _watch(True, quotes, columns, stretch, account, instrument, state, day, rules, params, counts, memory)


@inlined
def _glide(
    columns: Columns, stretch: Stretch, desk: np.ndarray[Any, Any], instruments: np.ndarray[Any, Any]
) -> tuple[int, int]:
    """Load the state, watch, and store it.

    Returns where it stopped, and what that tick asks for after it was observed (`NOTHING`: it is not observed yet). A
    position opens and closes outside, so the loop is compiled for each case: where it is constant, what depends on it
    is compiled away.
    """
    record = instruments[stretch.who]
    counts, memory = record["counts"], record["memory"]
    account = load_account(desk[0]["account"])
    rules = load_rules(desk[0]["rules"])
    params = load_params(desk[0]["params"])
    before = instrument = load_instrument(record["core"])
    state = load_state(record["strategy"])
    day = load_day(record["day"])
    quotes = len(columns.bid) > 0
    if not is_calm(account, instrument, rules):
        stop, due, account, instrument, state = _watch(
            False, quotes, columns, stretch, account, instrument, state, day, rules, params, counts, memory
        )
    else:
        account, instrument, rules = as_calm(account, instrument, rules)
        if is_usual(rules, params) and not quotes:
            rules, params = as_usual(rules, params)
            stop, due, account, instrument, state = _watch_calm(
                False, columns, stretch, account, instrument, state, day, rules, params, counts, memory
            )
        else:
            stop, due, account, instrument, state = _watch_calm(
                quotes, columns, stretch, account, instrument, state, day, rules, params, counts, memory
            )
        instrument = after_calm(before, instrument)
    observed = stop + 1 if due != NOTHING else stop
    strays = count_off_grid(columns.price, stretch.begin, observed, day.tick_size, day.grid)
    count_ticks(counts, observed - stretch.begin, strays, instrument.position)
    store_account(desk[0]["account"], account)
    store_instrument(record["core"], instrument)
    store_state(record["strategy"], state)
    return stop, due


@inlined
def _act_one(
    due: int,
    event: Event,
    desk: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> None:
    """Do what one tick asks for, or the end of the data, and let the instant exchange answer until no order waits.

    `due` is `NOTHING` for a tick that has not been observed.
    """
    record = instruments[event.instrument]
    counts = record["counts"]
    account = load_account(desk[0]["account"])
    rules = peek_rules(desk[0]["rules"])
    params = peek_params(desk[0]["params"])
    instrument = load_instrument(record["core"])
    state = load_state(record["strategy"])
    day = peek_day(record["day"])
    if event.kind == codes.END_OF_DATA:
        account, instrument = end_data(account, instrument, event, rules, counts, commands)
    elif due == NOTHING:
        account, instrument, state = on_tick(
            account,
            instrument,
            state,
            record["day"],
            event,
            rules,
            params,
            days,
            counts,
            record["memory"],
            commands,
            counts,
        )
        day = peek_day(record["day"])  # it may have begun with this tick
        store_state(record["strategy"], state)
    else:
        account, instrument = act(due, account, instrument, state, day, event, False, rules, params, counts, commands)
    while instrument.order.state == SENT:
        fill = fill_at_once(instrument.order, instrument.tape, rules, event)
        account, instrument = on_answer(account, instrument, state, day, fill, rules, params, counts, commands)
    store_account(desk[0]["account"], account)
    store_instrument(record["core"], instrument)


@entry_point
def run(
    columns: Columns,
    begin: int,
    sequence: int,
    ending: int,
    full: int,
    desk: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
) -> int:
    """Run a batch of ticks from `begin` on against the instant exchange; return the first tick not yet taken.

    It stops early once `full` commands have been emitted in all, those of one tick more at the most (drain the commands
    and call again), or before a tick whose day has not been prepared in `days` (prepare it and call again). `sequence` is
    the input sequence of the batch's first tick.
    `ending` says what follows the batch: more (`GOES_ON`), the end of the data of one instrument at a time with or without
    closing what is open (`begin` is then the instrument, and there are no ticks).
    """
    if ending != GOES_ON:
        event = Event(codes.END_OF_DATA, begin, sequence, 0, 0, 0, 0, 0, 0, 0, 0, 0, ending)
        _act_one(NOTHING, event, desk, instruments, days, commands)
        return begin
    count = len(columns.time_ns)
    i = begin
    while i < count and desk[0]["account"]["commands"] < full:
        who, end = 0, count
        if len(columns.instrument) > 0:
            who, end = columns.instrument[i], i + 1
            while end < count and columns.instrument[end] == who:
                end += 1
        stretch = Stretch(i, min(end, i + GLIDE), who, sequence)
        i, due = _glide(columns, stretch, desk, instruments)
        if i < end:
            event = _tick_event(len(columns.bid) > 0, columns, stretch, i)
            tape = instruments[who]["core"]["tape"]
            if due == NOTHING and lacks_day(tape["last_ns"], tape["day_end_ns"], days[who], event):
                return i
            _act_one(due, event, desk, instruments, days, commands)
            i += 1
    return i


@inlined
def step_one(
    who: int,
    event: Event,
    desk: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
    probe: np.ndarray[Any, Any],
) -> None:
    """Take an event of any kind for one instrument, whatever instrument it names."""
    record = instruments[who]
    counts, memory = record["counts"], record["memory"]
    account = load_account(desk[0]["account"])
    rules = peek_rules(desk[0]["rules"])
    params = peek_params(desk[0]["params"])
    instrument = load_instrument(record["core"])
    state = load_state(record["strategy"])
    day = peek_day(record["day"])
    lap(probe, REST)
    if event.kind == codes.TICK:
        account, instrument, state = on_tick(
            account, instrument, state, record["day"], event, rules, params, days, counts, memory, commands, probe
        )
        store_state(record["strategy"], state)
    elif event.kind in ANSWERS:
        account, instrument = on_answer(account, instrument, state, day, event, rules, params, counts, commands)
    else:
        account, instrument = on_notice(account, instrument, state, event, rules, params, counts, commands)
    lap(probe, POSITION)
    store_account(desk[0]["account"], account)
    store_instrument(record["core"], instrument)
    lap(probe, REST)


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
    Raises IndexError or ValueError at an event of an unknown instrument or kind, and takes nothing of it.
    """
    event = load_event(events[at])
    if not -1 <= event.instrument < len(instruments):
        raise IndexError("an event of an unknown instrument")
    if event.instrument >= 0:
        step_one(event.instrument, event, desk, instruments, days, commands, instruments[event.instrument]["counts"])
    else:
        for who in range(len(instruments)):
            step_one(who, event._replace(instrument=who), desk, instruments, days, commands, instruments[who]["counts"])
    return int(desk[0]["account"]["commands"])
