"""The decoder of the WebSocket 2.0 feed: from the bytes of a frame straight to a row of the journal.

All numbers are little-endian; offsets are those of the published layout. Depth of twenty levels (mode 4) was withdrawn and
is an unknown mode here.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from myquant.brokers.angelone.tokens import (
    ELSEWHERE,
    INSTRUMENT,
    NO_INSTRUMENT,
    ROW,
    UNKNOWN,
    TokenTable,
    find,
    key_of,
)
from myquant.brokers.packets import (
    FEED,
    IMPOSSIBLE_DEPTH,
    MEMORY,
    NOTHING,
    PRICE_END,
    UNKNOWN_MODE,
    UNKNOWN_TOKEN,
    WRONG_EXCHANGE,
    WRONG_LENGTH,
    Packet,
    discard,
    judge,
    recall,
    to_ns,
)
from myquant.core.compiled import direct, inlined
from myquant.journal.record import BODY_WORDS, Input
from myquant.ticks.compiled import kept

LTP: Final = 1
QUOTE: Final = 2
SNAP_QUOTE: Final = 3

LTP_BYTES: Final = 51
QUOTE_BYTES: Final = 123
SNAP_QUOTE_BYTES: Final = 379

# Where the fields are.
MODE: Final = 0
EXCHANGE_TYPE: Final = 1
TOKEN: Final = 2
NUMBER: Final = 27
TIME_MS: Final = 35
PRICE: Final = 43
TOTAL_VOLUME: Final = 67
TRADED_S: Final = 123
OPEN_INTEREST: Final = 131
BUYS: Final = 147  # five levels of flag u16, quantity i64, price i64, orders u16
SELLS: Final = 247
UPPER_CIRCUIT: Final = 347
LOWER_CIRCUIT: Final = 355

LEVELS: Final = 5
LEVEL_BYTES: Final = 20
BUY_FLAG: Final = 1
SELL_FLAG: Final = 0

MS_NS: Final = 1_000_000
S_NS: Final = 1_000_000_000


@inlined
def _int64(frame: Any, at: int) -> int:
    """Return the int64 at an offset: written byte by byte, compiled to one load wherever it lies."""
    low = int(frame[at]) | int(frame[at + 1]) << 8 | int(frame[at + 2]) << 16 | int(frame[at + 3]) << 24
    high = int(frame[at + 4]) | int(frame[at + 5]) << 8 | int(frame[at + 6]) << 16 | int(frame[at + 7]) << 24
    return low | ((high ^ 0x80000000) - 0x80000000) << 32


@inlined
def _side_is_sound(frame: Any, begin: int, flag: int) -> bool:
    """Return whether all levels of a side carry its flag and no quantity or price below zero."""
    wrong = 0
    for level in range(LEVELS):
        at = begin + LEVEL_BYTES * level
        wrong |= (int(frame[at]) | int(frame[at + 1]) << 8) ^ flag
        wrong |= (int(frame[at + 9]) | int(frame[at + 17])) & 0x80  # the sign bits
    return wrong == 0


@inlined
def _best(frame: Any, begin: int) -> int:
    """Return the price of a side's first level, 0 where it is empty."""
    return _int64(frame, begin + 10) if _int64(frame, begin + 2) > 0 else 0


@inlined
def _refuse(frame: Any) -> int:
    """Return why the length of a frame can't be right, or `NOTHING`."""
    if len(frame) < LTP_BYTES:
        return WRONG_LENGTH
    mode = frame[MODE]
    if not LTP <= mode <= SNAP_QUOTE:
        return UNKNOWN_MODE
    expected = LTP_BYTES if mode == LTP else QUOTE_BYTES if mode == QUOTE else SNAP_QUOTE_BYTES
    return NOTHING if len(frame) == expected else WRONG_LENGTH


@inlined
def _packet(frame: Any, row: int, instrument: int) -> Packet:
    """Return what a frame of a known mode says, its depth and circuits left out."""
    has_volume = frame[MODE] != LTP
    has_trade_time = frame[MODE] == SNAP_QUOTE
    return Packet(
        row=row,
        instrument=instrument,
        number=_int64(frame, NUMBER),
        time_ns=to_ns(_int64(frame, TIME_MS), MS_NS),
        price=_int64(frame, PRICE),
        has_volume=has_volume,
        total_volume=_int64(frame, TOTAL_VOLUME) if has_volume else 0,
        traded_ns=to_ns(_int64(frame, TRADED_S), S_NS) if has_trade_time else 0,
        has_quote=False,
        bid=0,
        ask=0,
        lower_circuit=0,
        upper_circuit=0,
        open_interest=_int64(frame, OPEN_INTEREST) if has_trade_time else 0,
    )


@kept
def decode(
    tokens: np.ndarray[Any, Any],
    memory: np.ndarray[Any, Any],
    feed: np.ndarray[Any, Any],
    words: np.ndarray[Any, Any],
    frame: Any,
    arrived_ns: int,
    wall_ns: int,
) -> int:
    """Return what became of a binary frame: `NOTHING` (its reason counted), `TICKED`, `QUOTED` or `ALIVE`.

    `frame`: bytes, a memoryview of bytes, or a uint8 array, as long as the payload. `tokens`: `TokenTable.slots`. The rest as
    `packets.judge` has it. Any bytes will do: nothing is raised, and nothing read or written beside them.
    """
    reason = _refuse(frame)
    if reason != NOTHING:
        return discard(reason, feed)
    slot = find(tokens, key_of(frame, TOKEN, NUMBER), int(frame[EXCHANGE_TYPE]))
    if slot == UNKNOWN:
        return discard(UNKNOWN_TOKEN, feed)
    if slot == ELSEWHERE:
        return discard(WRONG_EXCHANGE, feed)
    packet = _packet(frame, tokens[slot, ROW], tokens[slot, INSTRUMENT])
    if packet.instrument == NO_INSTRUMENT:  # an index has no trades and no depth, whatever its packet holds there
        packet = packet._replace(total_volume=0, traded_ns=0)
    elif frame[MODE] == SNAP_QUOTE:
        bid, ask = _best(frame, BUYS), _best(frame, SELLS)
        sound = _side_is_sound(frame, BUYS, BUY_FLAG) and _side_is_sound(frame, SELLS, SELL_FLAG)
        if not (sound and max(bid, ask) < PRICE_END):
            return discard(IMPOSSIBLE_DEPTH, feed)
        lower, upper = _int64(frame, LOWER_CIRCUIT), _int64(frame, UPPER_CIRCUIT)
        packet = packet._replace(has_quote=True, bid=bid, ask=ask, lower_circuit=lower, upper_circuit=upper)
    return judge(packet, arrived_ns, wall_ns, memory, feed, words)


class FrameDecoder:
    """The decoder with what it works on.

    `take` returns what became of a binary frame, given its payload (a memoryview is of bytes), when it arrived (monotonic, ns) and
    the machine's clock (ns): `NOTHING`, `TICKED`, `QUOTED` or `ALIVE`. `words`, int64 of shape (1, 21), is the last tick or quote as the body of a journal's record; `memory` has a record
    `packets.MEMORY` per token; `counts` are those of `packets`, int64. `zone_offset_ns` is the exchange's local time
    less UTC. A packet whose time is ahead of the exchange's by more than `max_clock_jump_ns` is refused.
    """

    def __init__(self, tokens: TokenTable, zone_offset_ns: int, max_clock_jump_ns: int) -> None:
        self.tokens = tokens
        self.words = np.zeros((1, BODY_WORDS), np.int64)
        self.memory = np.zeros(len(tokens.tokens), MEMORY)
        self._feed = np.zeros(1, FEED)
        self._feed[0]["zone_offset_ns"] = zone_offset_ns
        self._feed[0]["max_clock_jump_ns"] = max_clock_jump_ns
        self.counts = self._feed[0]["counts"]
        self.connect(1)
        # Handing the payload over as it is costs 60 ns less than copying it into an array, 300 less than `frombuffer`.
        arrays = tokens.slots, self.memory, self._feed, self.words
        self.take: Callable[[bytes | memoryview, int, int], int] = partial(direct(decode, *arrays, b"", 0, 0), *arrays)

    def connect(self, number: int) -> None:
        """Begin a connection, numbered from 1: the exchange's time is not known until a token's moves on."""
        if number < 1:
            raise ValueError(f"connection {number}: they are numbered from 1")
        self._feed[0]["connection"] = number
        self._feed[0]["clock_ns"] = 0

    def recall(self, last: Input) -> None:
        """Go on from the last journaled input of an instrument after a restart."""
        row = self.tokens.rows[last.event.instrument]
        recall(self.memory, row, last, int(self._feed[0]["zone_offset_ns"]))

    def clock(self) -> tuple[int, int]:
        """Return the exchange's time, UTC ns (0: not known yet), and the monotonic time at which it arrived."""
        return int(self._feed[0]["clock_ns"]), int(self._feed[0]["clock_arrived_ns"])
