"""How a session takes its inputs: each is journaled, then decided upon, and what was decided is journaled.

This source, too, is a template: its imports from `drive` are what a specialised one changes.
"""

from typing import Any, Final

import numpy as np

from myquant.core import codes
from myquant.core.compiled import entry_point, inlined
from myquant.core.days import lacks_day
from myquant.core.probe import JOURNALING, begin, lap
from myquant.core.records import Command, Event
from myquant.exchange.drive import OUTBOX_MARGIN, step_one
from myquant.journal.record import COMMAND, INPUT, append

# Places of the journal's cursor.
WRITTEN: Final = 0  # records in the journal so far: the last one's number
BEFORE: Final = 1  # of them before these rows
KEY: Final = 2
STATUS: Final = 3  # why `handle` returned

# Why it returned.
DONE: Final = 0  # all inputs up to the one returned are taken
LACKS_DAY: Final = 1  # the next input is a tick whose day has to be prepared
LACKS_ROOM: Final = 2  # the next input needs new rows
HAS_ORDERS: Final = 3  # the last input taken has led to orders: send them before the next
UNKNOWN: Final = 4  # the next input is of an unknown kind or instrument

SEQUENCE: Final = Event._fields.index("sequence")
KIND: Final = Command._fields.index("kind")
PER_INSTRUMENT: Final = 4  # an event for all instruments leads to fewer commands than this for each


@inlined
def event_at(words: np.ndarray[Any, Any], i: int) -> Event:
    """Return the event of row `i` of inputs."""
    return Event(
        int(words[i, 0]),
        int(words[i, 1]),
        int(words[i, 2]),
        int(words[i, 3]),
        int(words[i, 4]),
        int(words[i, 5]),
        int(words[i, 6]),
        int(words[i, 7]),
        int(words[i, 8]),
        int(words[i, 9]),
        int(words[i, 10]),
        int(words[i, 11]),
        int(words[i, 12]),
    )


@inlined
def _obstacle(
    event: Event,
    rows: np.ndarray[Any, Any],
    cursor: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
) -> int:
    """Return what keeps an input from being taken, or `DONE`."""
    who = event.instrument
    if not -1 <= who < len(instruments) or not 1 <= event.kind <= codes.LAST_EVENT:
        return UNKNOWN
    needed = 1 + OUTBOX_MARGIN
    if who < 0:
        needed += PER_INSTRUMENT * len(instruments)
        if event.kind in (codes.TICK, codes.QUOTE):
            return UNKNOWN
    if len(rows) - (cursor[WRITTEN] - cursor[BEFORE]) < needed:
        return LACKS_ROOM
    if event.kind == codes.TICK:
        tape = instruments[who]["core"]["tape"]
        if lacks_day(tape["last_ns"], tape["day_end_ns"], days[who], event):
            return LACKS_DAY
    return DONE


@inlined
def _put(
    rows: np.ndarray[Any, Any], cursor: np.ndarray[Any, Any], holds: int, words: np.ndarray[Any, Any], row: int
) -> None:
    append(rows, cursor[WRITTEN] - cursor[BEFORE], cursor[WRITTEN] + 1, holds, cursor[KEY], words, row)
    cursor[WRITTEN] += 1


@entry_point
def handle(
    words: np.ndarray[Any, Any],
    first: int,
    end: int,
    sequence: int,
    rows: np.ndarray[Any, Any],
    cursor: np.ndarray[Any, Any],
    desk: np.ndarray[Any, Any],
    instruments: np.ndarray[Any, Any],
    days: np.ndarray[Any, Any],
    commands: np.ndarray[Any, Any],
    command_words: np.ndarray[Any, Any],
) -> int:
    """Take the inputs from `first` to `end`: journal each, step, journal the commands; return the first not taken.

    It returns early, with `DONE`, when half of the ring `commands` has new ones, which the caller has to take out.

    `words` are journal inputs, int64 of shape (n, 21); the first of them gets the number `sequence`, and so on. `rows` and
    `cursor` are the journal's (see `journal.writer`); `command_words` is `commands` as int64 of shape (ring, 21). Why it
    returned stands in `cursor[STATUS]`.
    """
    cursor[STATUS] = DONE
    most = desk[0]["account"]["commands"] + len(commands) // 2
    for i in range(first, end):
        words[i, SEQUENCE] = sequence + i - first
        event = event_at(words, i)
        obstacle = _obstacle(event, rows, cursor, instruments, days)
        if obstacle != DONE:
            cursor[STATUS] = obstacle
            return i
        begin(cursor, event.kind)
        _put(rows, cursor, INPUT, words, i)
        lap(cursor, JOURNALING)
        before = desk[0]["account"]["commands"]
        if event.instrument >= 0:
            step_one(event.instrument, event, desk, instruments, days, commands, cursor)
        else:
            for who in range(len(instruments)):
                step_one(who, event._replace(instrument=who), desk, instruments, days, commands, cursor)
        for number in range(before, desk[0]["account"]["commands"]):
            row = number % len(commands)
            _put(rows, cursor, COMMAND, command_words, row)
            kind = command_words[row, KIND]
            if kind <= codes.CANCEL or kind == codes.MODIFY:
                cursor[STATUS] = HAS_ORDERS
        lap(cursor, JOURNALING)
        if cursor[STATUS] == HAS_ORDERS or desk[0]["account"]["commands"] > most:
            return i + 1
    return end
