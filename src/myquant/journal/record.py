"""The journal's record: 24 words of 8 bytes. Three of them head it, the other 21 are an input, a command, a day or a note.

    word 0      checksum of all the other words and of the journal's key (`checksum`)
    word 1      number of the record in its journal, from 1: record k stands at place k
    word 2      what it holds (`INPUT`...)
    words 3-23  the body: an `Input`, a `core.records.Command`, a `DayNote` or a `Note`; zeros of a padding

All words are little-endian int64. Numbers of kinds keep their meaning for ever; a new one takes the next free number.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numba.extending import overload

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.layout import dtype_of
from myquant.core.records import Command, Day, Event

FORMAT: Final = 1  # of records and segments; another one can't be read by this version

WORDS: Final = 24
RECORD_BYTES: Final = 8 * WORDS
CHECKSUM, NUMBER, HOLDS, BODY = range(4)  # places of the words
BODY_WORDS: Final = WORDS - BODY

# What a record holds.
INPUT: Final = 1
COMMAND: Final = 2
DAY: Final = 3
NOTE: Final = 4
PADDING: Final = 5  # nothing: the next input and its commands might not have fitted into the rest of the segment

HOLDS_NAMES: Final = {INPUT: "input", COMMAND: "command", DAY: "day", NOTE: "note", PADDING: "padding"}

# Kinds of notes: what a session says of itself. Nothing of them reaches the core.
STARTED: Final = 1  # a process begins or goes on with the session; values: pid, inputs so far, commands so far
SNAPSHOT: Final = 2  # the state was put on disk; values: inputs, commands, the file's hash (4 words), the engine's (4)
BEAT: Final = 3  # each second; values: frames, inputs, commands, last arrival (monotonic), rows left, exchange time
FEED: Final = 4  # what became of a connection; code: 0 healthy, 1 stale; instrument: its number
COUNTS: Final = 5  # what the feed did not use, by reason, so far; code: connection
STOPPED: Final = 6  # the process leaves the session; code: its exit code
TROUBLE: Final = 7  # something went wrong beside the inputs; code: what
OVERRIDE: Final = 8  # a person has overridden a refusal; code: which; values: a number that names his reason
TELEMETRY: Final = 9  # each second, how the process does: `Telemetry`
LEDGER: Final = 10  # each second, how the account stands: `Ledger`
POSITION: Final = 11  # each second, of each instrument that holds something: `Holding`; none says that nothing is held
SENT: Final = 12  # a request about an order has left for the broker: `Sent`; code: which (`SENT_NAMES`)

NOTE_NAMES: Final = {
    STARTED: "started",
    SNAPSHOT: "snapshot",
    BEAT: "beat",
    FEED: "feed",
    COUNTS: "counts",
    STOPPED: "stopped",
    TROUBLE: "trouble",
    OVERRIDE: "override",
    TELEMETRY: "telemetry",
    LEDGER: "ledger",
    POSITION: "position",
    SENT: "sent",
}

SENT_SUBMIT, SENT_MODIFY, SENT_CANCEL = range(1, 4)  # codes of SENT
SENT_NAMES: Final = {SENT_SUBMIT: "submit", SENT_MODIFY: "modify", SENT_CANCEL: "cancel"}

NO_REHEARSAL: Final = 1  # of OVERRIDE: no session with simulated fills had shown what the settings do

# Codes of LEDGER: what halts entries.
FLATTENED: Final = 100  # an operator has had all positions closed, and nothing else halts; beyond the core's reasons
HALTED_BY: Final = codes.HALT_NAMES | {codes.NOT_HALTED: "", FLATTENED: "flatten"}

NOTE_VALUES: Final = 16


class Origin(NamedTuple):
    """Where an input came from, and when: nothing that the core looks at. 0: not known."""

    arrived_ns: int  # monotonic: when its bytes were at hand
    decoded_ns: int  # monotonic
    total_volume: int  # units traded in the day so far, as the broker counts
    traded_ns: int  # when the last trade was, by the exchange's clock
    packet: int  # the broker's sequence number
    connection: int  # number of the connection, from 1
    open_interest: int
    spent_ns: int  # of ticks, quotes, timers: what the packet before took, from its bytes to the end of all it led to


class Input(NamedTuple):
    """An event and where it came from."""

    event: Event
    origin: Origin


class Telemetry(NamedTuple):
    """Values of a TELEMETRY note: how a session's process does. "So far": since the process began."""

    spent_max_ns: int  # the slowest input of the last second, from its bytes to the end of all it led to
    late_ns: int  # by how much this second's timer came too late
    collections: int  # of garbage, so far
    collection_ns: int  # what they took in all, so far
    collection_max_ns: int  # the longest of the last second
    queue_depth: int  # the fullest that the hand-off was in the last second, in units of its room
    queue_room: int  # of the hand-off; 0: there is none
    queue_dropped: int  # frames that found no room, so far
    log_lost: int  # lines, so far
    rows_lost: int  # of files of ticks and decisions, so far
    reference_ns: int  # the reference kernel, median of its last runs; 0: not run
    channel_down_ns: int  # for how long orders can't be sent to the broker; 0: they can, or go to none
    looked_ns: int  # the wall clock at the last look at the broker's books; 0: none
    differences: int  # between the broker's books and ours, so far
    bare_ns: int  # for how long a position that wants a stop order at the exchange has had none, the longest; 0: none
    verbose: int  # 1: more is logged for a while


class Ledger(NamedTuple):
    """Values of a LEDGER note: how the account stands; money in paise. Its code is what halts entries (`HALTED_BY`)."""

    cash: int
    equity: int
    day_pnl: int  # realised plus open, after charges
    drawdown: int  # below the highest equity
    charges: int  # paid in all
    open_value: int
    trades: int
    positions: int  # opened in all
    entries_today: int  # of the instrument that has most
    orders_today: int
    unknown: int  # orders of unknown state
    rejects_in_row: int
    funds: int  # what the broker lets us spend; -1: as our ledger has it
    day_stopped: int  # 1: the day's loss limit is reached
    spare: int
    spare_too: int


class Holding(NamedTuple):
    """Values of a POSITION note: what an instrument holds, and what guards it. Prices and money in paise; 0: there is none."""

    position_id: int
    quantity: int  # units held now
    bought: int  # units bought in all
    entry_price: int  # average, half up
    opened_ns: int  # exchange time
    cost: int  # what was paid for the units held now, without charges
    stop: int
    floor: int  # the higher of stop and trailing stop: at or below it the position is closed
    highest: int  # price since the entry; a paisa below the entry until a tick came
    activation: int  # the price that turns the trailing stop on
    target: int  # price of the next take-profit tier
    tier: int  # tiers done
    last_price: int  # of the instrument
    rests: int  # units that the protective stop order still sells, as the exchange is known to have it
    trigger: int  # of that order
    spare: int


class Sent(NamedTuple):
    """The first values of a SENT note: a slice's request to the broker, as its bytes were written."""

    order_id: int
    written_monotonic_ns: int  # right after the write
    waited_ns: int  # that it waited before, for the broker's rate, a session or a connection; 0: it was written at once
    part: int  # the slice's number, from 1
    parts: int  # slices of the order
    quantity: int  # units of the slice
    limit: int  # paise, its protection included; 0: of a cancellation
    trigger: int  # paise; 0: none
    again: int  # 1: it was written before, and refused as the broker had ended the session


class DayNote(NamedTuple):
    """The rules of one instrument's day, as they were prepared before its first tick."""

    instrument: int
    spare: int
    spare_too: int
    day: Day


class Note(NamedTuple):
    """Something that a session says of itself."""

    kind: int
    code: int
    instrument: int
    wall_ns: int  # UTC
    monotonic_ns: int
    values: tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int]


BODIES: Final = {INPUT: Input, COMMAND: Command, DAY: DayNote, NOTE: Note}


def record_dtype(holds: int) -> np.dtype[np.void]:
    """Return the dtype of a whole record of one kind: fields checksum, number, holds, body."""
    return np.dtype([("checksum", "<i8"), ("number", "<i8"), ("holds", "<i8"), ("body", dtype_of(BODIES[holds]))])


_ODD: Final = -7046029254386353131  # 2^64 divided by the golden ratio, as int64: an odd number of no pattern


def _spread(word: int) -> int:
    """Return a word times an odd number, modulo 2^64: machine arithmetic when compiled, spelt out in plain Python."""
    return (int(word) * _ODD + 2**63) % 2**64 - 2**63


@overload(_spread, jit_options={"forceinline": True})
def _compiled_spread(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001  (Numba compares the signatures)
    return lambda word: word * _ODD


@inlined
def checksum(rows: np.ndarray[Any, Any], at: int, key: int) -> int:
    """Return the checksum of row `at` of an int64 array of shape (n, WORDS).

    Each step maps words one to one, so a change of one word always changes the sum; of several, all but once in 2^64.
    """
    mixed = key
    for word in range(NUMBER, WORDS):
        mixed = _spread(mixed ^ rows[at, word])
        mixed ^= (mixed >> 29) & 0x7FFFFFFFF
    return mixed


@inlined
def append(
    rows: np.ndarray[Any, Any],
    at: int,
    number: int,
    holds: int,
    key: int,
    words: np.ndarray[Any, Any],
    row: int,
) -> None:
    """Write row `row` of `words` (int64, shape (n, BODY_WORDS)) as record `number` into row `at`.

    The checksum comes last: a record that is not whole has none that fits.
    """
    rows[at, NUMBER] = number
    rows[at, HOLDS] = holds
    for word in range(BODY_WORDS):
        rows[at, BODY + word] = words[row, word]
    rows[at, CHECKSUM] = checksum(rows, at, key)
