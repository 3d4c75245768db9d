"""The compiled pass over a journal's records that a trace is made of: int64 arrays of shape (n, WORDS), in order.

A record is looked at once. What is kept of it are rows of a few tables and counts in buckets; what comes seldom is only pointed at,
for `trace` to read.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.guard import refuse
from myquant.core.records import Command, Event
from myquant.journal.record import (
    BEAT,
    BODY,
    COMMAND,
    DAY,
    HOLDS,
    INPUT,
    LEDGER,
    NOTE,
    POSITION,
    Holding,
    Ledger,
)
from myquant.ticks.compiled import kept

Words = NDArray[np.int64]

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
FAR_NS: Final = 3600 * SECOND_NS  # clocks that are further apart are perhaps not of one day, as in the monitor

# Places of `Tables.memo`.
BARS, LEDGERS, LEVELS, TALLIES, SELDOM = range(5)  # rows in use
MINUTE, EXCHANGE, SEQUENCE, ARRIVED, DECODED, IS_ORDER = range(5, 11)  # SEQUENCE: of a tick that waits for what it took
MEMO_WORDS: Final = 11
NO_MINUTE: Final = -1
NONE_WAITS: Final = -1

# Columns of `Tables.bars`: one second of one instrument, exchange time.
INSTRUMENT, SECOND, OPEN, HIGH, LOW, CLOSE, TICKS = range(7)
BAR_WORDS: Final = 7
NO_ROW: Final = -1

# Columns of `Tables.ledgers`: one note, money in paise.
WALL, CLOCK, EQUITY, DAY_PNL, DRAWDOWN, HALT = range(6)  # CLOCK: exchange time of the last beat; 0: not known
LEDGER_WORDS: Final = 6

# Columns of `Tables.levels`: for how long the prices that close a position stood where they are.
_LEVEL_VALUES: Final = ("position_id", "quantity", "entry_price", "stop", "floor", "activation", "target", "trigger")
FROM_WALL, TO_WALL, FROM_CLOCK, TO_CLOCK = range(1, 5)
POSITION_ID, QUANTITY, ENTRY_PRICE, STOP, FLOOR, ACTIVATION, TARGET, TRIGGER = range(5, 13)
LEVEL_WORDS: Final = 13

# Columns of `Tables.tallies`: how often something was refused in a minute of exchange time.
WHAT, REASON, FIRST, LAST, COUNT = range(5)
TALLY_WORDS: Final = 5
DENIED, REJECTED = range(2)
REASONS_MAX: Final = 64

# Stages of `Tables.counts`.
DECODE, DECIDE, ORDER, TOTAL, FEED = range(5)
STAGES: Final = ("decode", "decide", "order", "total", "feed")
SUB_BITS: Final = 6  # an octave has 64 buckets, so that the middle of one is at most 1/128 from each of its values
OCTAVES: Final = 41  # up to 36 minutes; what is longer counts as that
BUCKETS: Final = 1 + (OCTAVES << SUB_BITS)  # the first: 0 and less
LONGEST_NS: Final = (1 << OCTAVES) - 1
_SHIFT: Final = 52 - SUB_BITS
_BIAS: Final = 1023 << SUB_BITS


def _event(name: str) -> int:
    return BODY + Event._fields.index(name)


def _command(name: str) -> int:
    return BODY + Command._fields.index(name)


_VALUES: Final = BODY + 5  # of a note
_E_KIND, _E_INSTRUMENT, _E_SEQUENCE, _E_TIME = map(_event, ("kind", "instrument", "sequence", "time_ns"))
_E_RECEIVE, _E_PRICE, _E_VOLUME = map(_event, ("receive_ns", "price", "volume"))
_ARRIVED = BODY + len(Event._fields)
_DECODED = _ARRIVED + 1
_SPENT = _ARRIVED + 7
_C_KIND, _C_TIME, _C_EVENT, _C_REASON = map(_command, ("kind", "time_ns", "event_sequence", "reason"))
_N_KIND, _N_CODE, _N_INSTRUMENT, _N_WALL = BODY, BODY + 1, BODY + 2, BODY + 3
_BEAT_CLOCK: Final = _VALUES + 5
_EQUITY, _DAY_PNL, _DRAWDOWN = (_VALUES + Ledger._fields.index(name) for name in ("equity", "day_pnl", "drawdown"))
_HELD: Final = tuple(_VALUES + Holding._fields.index(name) for name in _LEVEL_VALUES)


class Tables(NamedTuple):
    """What the pass writes to. The first rows of a table are in use: as many as `memo` says."""

    memo: Words  # (MEMO_WORDS,)
    bars: Words  # (room, BAR_WORDS)
    last_bars: Words  # (instruments, 2): the row of the newest bar, or NO_ROW; time of the last tick that was taken
    counts: NDArray[np.uint32]  # (stages, BUCKETS), of the minute MINUTE
    ledgers: Words  # (room, LEDGER_WORDS)
    levels: Words  # (room, LEVEL_WORDS)
    last_levels: Words  # (instruments,): the row of the newest
    tallies: Words  # (room, TALLY_WORDS)
    last_tallies: Words  # (2, REASONS_MAX): the row of the newest
    totals: Words  # (2, REASONS_MAX): how often in all
    seldom: Words  # (room,): places of the rows that `trace` reads by itself


@inlined
def bucket_of(value_ns: int) -> int:
    """Return the bucket of a time: its exponent and the first bits behind, as a double has them."""
    if value_ns <= 0:
        return 0
    bits: int = np.float64(min(value_ns, LONGEST_NS)).view(np.int64)  # type: ignore[assignment]
    return 1 + (bits >> _SHIFT) - _BIAS


@kept
def fold(rows: Words, begin: int, tables: Tables) -> int:
    """Take rows from `begin` on; return the first that was not taken: another minute begins there, so `counts` have to be put away.

    Each table has room for as many rows as there are; MINUTE is set to NO_MINUTE once the counts are zeros again.
    """
    memo = tables.memo
    for at in range(begin, len(rows)):
        holds = rows[at, HOLDS]
        if holds == INPUT:
            _end_wait(rows, at, tables)
            kind = rows[at, _E_KIND]
            if kind in (codes.TICK, codes.QUOTE):
                minute = rows[at, _E_RECEIVE] // MINUTE_NS
                if rows[at, _E_RECEIVE] > 0 and minute != memo[MINUTE]:
                    if memo[MINUTE] != NO_MINUTE:
                        return at
                    memo[MINUTE] = minute
                _take_packet(rows, at, tables)
            elif kind in (codes.FEED_STATUS, codes.OPERATOR):
                _point_at(at, tables)
        elif holds == COMMAND:
            _take_command(rows, at, tables)
        elif holds == NOTE:
            _take_note(rows, at, tables)
        elif holds == DAY:
            _point_at(at, tables)
    return len(rows)


@inlined
def _point_at(at: int, tables: Tables) -> None:
    tables.seldom[tables.memo[SELDOM]] = at
    tables.memo[SELDOM] += 1


@inlined
def _end_wait(rows: Words, at: int, tables: Tables) -> None:
    """Count what the tick before took, which the input behind it says; see `monitor.fold_latency`."""
    memo, counts = tables.memo, tables.counts
    if memo[SEQUENCE] == NONE_WAITS:
        return
    spent = rows[at, _SPENT]
    if spent > 0 and rows[at, _E_SEQUENCE] == memo[SEQUENCE] + 1 and memo[MINUTE] != NO_MINUTE:
        counts[TOTAL, bucket_of(spent)] += 1
        decode = memo[DECODED] - memo[ARRIVED]
        if memo[DECODED] > 0 and 0 <= decode <= spent:
            counts[DECODE, bucket_of(decode)] += 1
            counts[ORDER if memo[IS_ORDER] else DECIDE, bucket_of(spent - decode)] += 1
    memo[SEQUENCE] = NONE_WAITS


@inlined
def _take_packet(rows: Words, at: int, tables: Tables) -> None:
    """Take a tick or a quote."""
    memo = tables.memo
    time_ns, receive_ns = rows[at, _E_TIME], rows[at, _E_RECEIVE]
    if receive_ns > 0 and time_ns > 0 and abs(receive_ns - time_ns) < FAR_NS:
        tables.counts[FEED, bucket_of(receive_ns - time_ns)] += 1
    if rows[at, _E_KIND] != codes.TICK:
        return
    if rows[at, _ARRIVED] > 0:
        memo[SEQUENCE], memo[IS_ORDER] = rows[at, _E_SEQUENCE], 0
        memo[ARRIVED], memo[DECODED] = rows[at, _ARRIVED], rows[at, _DECODED]
    who, price = rows[at, _E_INSTRUMENT], rows[at, _E_PRICE]
    last, bars = tables.last_bars, tables.bars
    if not 0 <= who < len(last) or refuse(last[who, 1], time_ns, price, rows[at, _E_VOLUME]) != codes.ACCEPTED:
        return
    row, second = last[who, 0], time_ns // SECOND_NS
    last[who, 1] = time_ns
    if row == NO_ROW or bars[row, SECOND] != second:
        row = last[who, 0] = memo[BARS]
        memo[BARS] += 1
        bars[row, INSTRUMENT], bars[row, SECOND], bars[row, TICKS] = who, second, 0
        bars[row, OPEN] = bars[row, HIGH] = bars[row, LOW] = price
    bars[row, HIGH], bars[row, LOW] = max(bars[row, HIGH], price), min(bars[row, LOW], price)
    bars[row, CLOSE] = price
    bars[row, TICKS] += 1


@inlined
def _take_command(rows: Words, at: int, tables: Tables) -> None:
    kind = rows[at, _C_KIND]
    if kind == codes.DENIED:
        _tally(rows, at, DENIED, tables)
    elif kind == codes.TICK_REJECTED:
        _tally(rows, at, REJECTED, tables)
    elif kind == codes.SUBMIT:
        if rows[at, _C_EVENT] == tables.memo[SEQUENCE]:
            tables.memo[IS_ORDER] = 1
    elif kind in (codes.POSITION_OPENED, codes.TRADE_CLOSED, codes.HALTED, codes.RESUMED):
        _point_at(at, tables)


@inlined
def _tally(rows: Words, at: int, what: int, tables: Tables) -> None:
    """Count something that was refused."""
    memo, tallies = tables.memo, tables.tallies
    reason, time_ns = rows[at, _C_REASON], rows[at, _C_TIME]
    if not 0 <= reason < REASONS_MAX:
        return
    tables.totals[what, reason] += 1
    row = tables.last_tallies[what, reason]
    if row == NO_ROW or tallies[row, FIRST] // MINUTE_NS != time_ns // MINUTE_NS:
        row = tables.last_tallies[what, reason] = memo[TALLIES]
        memo[TALLIES] += 1
        tallies[row, WHAT], tallies[row, REASON], tallies[row, FIRST], tallies[row, COUNT] = what, reason, time_ns, 0
    tallies[row, LAST] = time_ns
    tallies[row, COUNT] += 1


@inlined
def _take_note(rows: Words, at: int, tables: Tables) -> None:
    memo, kind = tables.memo, rows[at, _N_KIND]
    if kind == BEAT:
        memo[EXCHANGE] = rows[at, _BEAT_CLOCK]
    elif kind == LEDGER:
        row, ledgers = memo[LEDGERS], tables.ledgers
        memo[LEDGERS] += 1
        ledgers[row, WALL], ledgers[row, CLOCK] = rows[at, _N_WALL], memo[EXCHANGE]
        ledgers[row, EQUITY], ledgers[row, DAY_PNL] = rows[at, _EQUITY], rows[at, _DAY_PNL]
        ledgers[row, DRAWDOWN], ledgers[row, HALT] = rows[at, _DRAWDOWN], rows[at, _N_CODE]
    elif kind == POSITION:
        _take_levels(rows, at, tables)


@inlined
def _take_levels(rows: Words, at: int, tables: Tables) -> None:
    """Take the prices that close a position: a new row when one of them moved, else the same for longer."""
    memo, levels, who = tables.memo, tables.levels, rows[at, _N_INSTRUMENT]
    if not 0 <= who < len(tables.last_levels):
        return
    row = tables.last_levels[who]
    is_same = row != NO_ROW
    if is_same:
        for place in range(len(_HELD)):
            is_same = is_same and levels[row, POSITION_ID + place] == rows[at, _HELD[place]]
    if not is_same:
        if row != NO_ROW and levels[row, POSITION_ID] == rows[at, _HELD[0]]:  # it stood until now
            levels[row, TO_WALL], levels[row, TO_CLOCK] = rows[at, _N_WALL], memo[EXCHANGE]
        row = tables.last_levels[who] = memo[LEVELS]
        memo[LEVELS] += 1
        levels[row, INSTRUMENT], levels[row, FROM_WALL], levels[row, FROM_CLOCK] = (
            who,
            rows[at, _N_WALL],
            memo[EXCHANGE],
        )
        for place in range(len(_HELD)):
            levels[row, POSITION_ID + place] = rows[at, _HELD[place]]
    levels[row, TO_WALL], levels[row, TO_CLOCK] = rows[at, _N_WALL], memo[EXCHANGE]


def percentile_ns(counts: NDArray[Any], per_mille: int) -> int | None:
    """Return a percentile (nearest rank) of counts in buckets (BUCKETS,), ns, within 0.8 %; 0 for what is 0 or less.

    None where there are too few values to have one: of 999 per mille below 1000, of 990 below 100.
    """
    summed = np.cumsum(counts, dtype=np.int64)
    n = int(summed[-1])
    if n == 0 or (per_mille > 500 and n * (1000 - per_mille) < 1000):
        return None
    rank = -(-n * per_mille // 1000)
    return middle_ns(int(np.searchsorted(summed, rank)))


def middle_ns(bucket: int) -> int:
    """Return the time in the middle of a bucket's whole ns."""
    if bucket == 0:
        return 0
    edges = (np.array([bucket - 1, bucket], np.int64) + _BIAS << _SHIFT).view(np.float64)
    low, high = np.ceil(edges)
    return int(low + high - 1) // 2
