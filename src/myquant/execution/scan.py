"""The seldom rows of a journal, and what was known when each was written: one compiled pass over blocks of records.

A decision stands behind the input that it came of, and what had been the last price, quote and clocks by then is remembered
from row to row, and from block to block. Where an order waits for an answer, the timer at which that is too long counts, too.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.records import NEVER, Command, Event
from myquant.journal.record import BODY, COMMAND, DAY, HOLDS, INPUT, NOTE, SENT, STARTED, WORDS, Note, Origin
from myquant.journal.segment import Rows
from myquant.ticks.compiled import kept

EVEN_MAX_NS: Final = 10_000_000_000  # a process that runs has an input each second
LEAP_NS: Final = 5_000_000_000  # by which the two clocks go apart at least where the machine is started anew
PICKED_MAX: Final = 1024  # in one go

# Places in the memory.
WALL, MONO, ARRIVED, DECODED, TIME, WAKE, UNDO_WHO, UNDO_PRICE, UNDO_BID, UNDO_ASK, COUNT, APART, BOOT = range(13)
MEMORY_WORDS: Final = 13
PRICE, BID, ASK = range(3)  # columns of `quotes`
PICK_WORDS: Final = 10  # the row in the block, and what is `Known`

_EVENT: Final = {name: BODY + place for place, name in enumerate((*Event._fields, *Origin._fields))}
_COMMAND: Final = {name: BODY + place for place, name in enumerate(Command._fields)}
_NOTE: Final = {name: BODY + place for place, name in enumerate(Note._fields)}
_E_KIND, _E_WHO, _E_TIME, _E_RECEIVE = (_EVENT[name] for name in ("kind", "instrument", "time_ns", "receive_ns"))
_E_PRICE, _E_BID, _E_ASK = (_EVENT[name] for name in ("price", "bid", "ask"))
_E_ARRIVED, _E_DECODED = _EVENT["arrived_ns"], _EVENT["decoded_ns"]
_C_KIND, _C_WHO, _C_TIME = (_COMMAND[name] for name in ("kind", "instrument", "time_ns"))
_N_KIND, _N_WALL, _N_MONO = (_NOTE[name] for name in ("kind", "wall_ns", "monotonic_ns"))
_NOBODY: Final = -1
_PASSED, _SELDOM, _DUE = range(3)  # what a row is


class Known(NamedTuple):
    """What was known at a row. Times: ns; prices: paise; 0: not known.

    The monotonic clock of an input without a stamp of it is that of the last one that has it, and what the machine's clock
    has gone on since; 0 where that was set or stood.
    """

    price: int  # the last one of the row's instrument
    bid: int
    ask: int
    arrived_ns: int  # of the last input: monotonic, when its bytes were at hand
    decoded_ns: int  # likewise: monotonic, when it was about to be decided on
    wall_ns: int
    mono_ns: int
    time_ns: int  # the exchange's clock
    boot: int = 0  # how often the machine was started anew: the monotonic clock began anew each time


@inlined
def _take_clocks(rows: NDArray[np.int64], at: int, memory: NDArray[np.int64]) -> None:
    """Remember when an input came."""
    memory[TIME] = rows[at, _E_TIME]
    arrived, received = rows[at, _E_ARRIVED], rows[at, _E_RECEIVE]
    memory[ARRIVED], memory[DECODED] = arrived, rows[at, _E_DECODED]
    if arrived > 0:
        memory[MONO] = arrived
    elif received > 0:
        passed = received - memory[WALL]
        if passed < 0 or passed > EVEN_MAX_NS:
            memory[MONO] = 0
        elif memory[MONO] > 0:
            memory[MONO] += passed
    if received > 0:
        memory[WALL] = received


@inlined
def _take_input(rows: NDArray[np.int64], at: int, memory: NDArray[np.int64], quotes: NDArray[np.int64]) -> int:
    """Remember what an input says; return what it is."""
    _take_clocks(rows, at, memory)
    kind, who = rows[at, _E_KIND], rows[at, _E_WHO]
    if kind in (codes.TICK, codes.QUOTE):
        if 0 <= who < len(quotes):
            memory[UNDO_WHO], memory[UNDO_PRICE] = who, quotes[who, PRICE]
            memory[UNDO_BID], memory[UNDO_ASK] = quotes[who, BID], quotes[who, ASK]
            if kind == codes.TICK and rows[at, _E_PRICE] > 0:
                quotes[who, PRICE] = rows[at, _E_PRICE]
            quotes[who, BID], quotes[who, ASK] = rows[at, _E_BID], rows[at, _E_ASK]
        return _PASSED
    if kind == codes.TIMER:
        if memory[TIME] < memory[WAKE]:
            return _PASSED
        memory[WAKE] = NEVER
        return _DUE
    is_answer = codes.ORDER_ACK <= kind <= codes.CANCELLED or kind in (codes.MODIFIED, codes.CHANGE_REJECT)
    return _SELDOM if is_answer or kind == codes.FOREIGN_TRADE else _PASSED


@inlined
def _take_command(
    rows: NDArray[np.int64], at: int, timeout_ns: int, memory: NDArray[np.int64], quotes: NDArray[np.int64]
) -> int:
    """Remember what a decision changes: an order waits from now on, a refused tick said nothing. Return what it is."""
    kind, who = rows[at, _C_KIND], rows[at, _C_WHO]
    if kind == codes.SUBMIT:
        memory[WAKE] = min(memory[WAKE], rows[at, _C_TIME] + timeout_ns)
    elif kind == codes.TICK_REJECTED and memory[UNDO_WHO] == who and 0 <= who < len(quotes):
        quotes[who, PRICE], quotes[who, BID] = memory[UNDO_PRICE], memory[UNDO_BID]
        quotes[who, ASK] = memory[UNDO_ASK]
    return _SELDOM if kind in (codes.SUBMIT, codes.CANCEL, codes.MODIFY, codes.TRADE_CLOSED) else _PASSED


@inlined
def _take_note(rows: NDArray[np.int64], at: int, memory: NDArray[np.int64]) -> int:
    """Remember a note's clocks, which it has both; return what it is.

    A process that begins while the clocks are further apart than the last one had them does so on a machine that was started
    anew, or whose clock was set: either way its monotonic stamps are not to be held against earlier ones.
    """
    kind, wall, mono = rows[at, _N_KIND], rows[at, _N_WALL], rows[at, _N_MONO]
    if kind == STARTED:  # another process, perhaps of another day, with clocks of its own
        memory[ARRIVED], memory[DECODED] = 0, 0
    if wall > 0 and mono > 0:
        if kind == STARTED and memory[APART] != 0 and abs(wall - mono - memory[APART]) > LEAP_NS:
            memory[BOOT] += 1
        memory[WALL], memory[MONO], memory[APART] = wall, mono, wall - mono
    return _SELDOM if kind == SENT else _PASSED


@inlined
def _keep(picked: NDArray[np.int64], row: int, at: int, memory: NDArray[np.int64]) -> None:
    picked[row, 0] = at
    picked[row, 4], picked[row, 5] = memory[ARRIVED], memory[DECODED]
    picked[row, 6], picked[row, 7], picked[row, 8] = memory[WALL], memory[MONO], memory[TIME]
    picked[row, 9] = memory[BOOT]


@inlined
def _keep_quote(picked: NDArray[np.int64], row: int, who: int, quotes: NDArray[np.int64]) -> None:
    is_known = 0 <= who < len(quotes)
    picked[row, 1] = quotes[who, PRICE] if is_known else 0
    picked[row, 2] = quotes[who, BID] if is_known else 0
    picked[row, 3] = quotes[who, ASK] if is_known else 0


@kept
def _pick(
    rows: NDArray[np.int64],
    at: int,
    timeout_ns: int,
    memory: NDArray[np.int64],
    quotes: NDArray[np.int64],
    picked: NDArray[np.int64],
) -> int:
    """Pick rows from row `at` on; return the first not looked at. `memory[COUNT]`: how many were picked.

    It returns early when `picked` is full, and behind a timer that was waited for.
    """
    count, found = 0, _PASSED
    while at < len(rows) and count < len(picked) and found != _DUE:
        holds, who = rows[at, HOLDS], _NOBODY
        if holds == INPUT:
            who = rows[at, _E_WHO]
            found = _take_input(rows, at, memory, quotes)
        elif holds == COMMAND:
            who = rows[at, _C_WHO]
            found = _take_command(rows, at, timeout_ns, memory, quotes)
        elif holds == NOTE:
            found = _take_note(rows, at, memory)
        else:
            found = _SELDOM if holds == DAY else _PASSED
        if found != _PASSED:
            _keep(picked, count, at, memory)
            _keep_quote(picked, count, who, quotes)
            count += 1
        at += 1
    memory[COUNT] = count
    return at


def prepare() -> None:
    """Have the compiled pass at hand before something waits for it: where no machine code is kept yet it takes some seconds."""
    nothing = np.zeros((0, WORDS), np.int64)
    nothing.flags.writeable = False  # as what a reader maps
    _pick(
        nothing, 0, 0, np.zeros(MEMORY_WORDS, np.int64), np.zeros((1, 3), np.int64), np.zeros((1, PICK_WORDS), np.int64)
    )


class Scan:
    """Goes over a journal, block after block; where it is cut makes no difference.

    Args:
        instruments: how many there are.
        timeout_ns: how long an order may be without an answer.
    """

    def __init__(self, instruments: int, timeout_ns: int) -> None:
        self._timeout_ns = timeout_ns
        self._memory = np.zeros(MEMORY_WORDS, np.int64)
        self._memory[WAKE], self._memory[UNDO_WHO] = NEVER, _NOBODY
        self._quotes = np.zeros((instruments, 3), np.int64)
        self._picked = np.zeros((PICKED_MAX, PICK_WORDS), np.int64)

    def wait_until(self, time_ns: int) -> None:
        """Pick the first timer from an exchange's time on, too, unless an earlier one is waited for."""
        self._memory[WAKE] = min(int(self._memory[WAKE]), time_ns)

    def seldom(self, block: Rows) -> Iterator[tuple[list[int], Known]]:
        """Yield the seldom rows of a block, each with what was known at it: int64 (n, WORDS), all of it or none is taken.

        Those are answers to orders and trades of others, requests of orders, closed trades, days, notes of orders that left,
        and the first timer at or behind the time that is waited for: a submitted order's own, or that of `wait_until`.
        """
        at = 0
        while at < len(block):
            at = _pick(block, at, self._timeout_ns, self._memory, self._quotes, self._picked)
            picked = self._picked[: int(self._memory[COUNT])]
            words = block[picked[:, 0]].tolist()
            for row, known in zip(words, picked[:, 1:].tolist(), strict=True):
                yield row, Known._make(known)
