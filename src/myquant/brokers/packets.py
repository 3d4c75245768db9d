"""Which packets of a broker's feed are ticks, and what a feed remembers so that it can tell.

A broker's decoder makes a `Packet` of what came, or names a reason why it can't; `judge` does the rest, for every broker
the same. A packet is a tick when the cumulative volume or the time of the last trade moved; any other only refreshes bid
and ask. The quantity of a tick is the difference of cumulative volume, its time the packet's exchange time.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from myquant.core import codes
from myquant.core.compiled import inlined
from myquant.core.layout import dtype_of
from myquant.core.records import NEVER, Event
from myquant.journal.record import Input, Origin

# What became of a packet.
NOTHING: Final = 0  # not used; the reason is counted
TICKED: Final = 1  # the row of words is a TICK
QUOTED: Final = 2  # the row of words is a QUOTE
ALIVE: Final = 3  # no instrument's: it shows that the feed lives, and the exchange's time

# Why a packet was not used: places in a feed's counts.
WRONG_LENGTH: Final = 1
UNKNOWN_MODE: Final = 2
UNKNOWN_TOKEN: Final = 3
WRONG_EXCHANGE: Final = 4
MODE_WITHOUT_VOLUME: Final = 5
IMPOSSIBLE_DEPTH: Final = 6
IMPOSSIBLE_PRICE: Final = 7
OUTSIDE_CIRCUIT: Final = 8
IMPOSSIBLE_VOLUME: Final = 9
IMPOSSIBLE_TIME: Final = 10
CLOCK_JUMP: Final = 11
OUT_OF_ORDER: Final = 12
DUPLICATE: Final = 13
NOTHING_NEW: Final = 14

# What of a packet was not used, though the rest was.
CROSSED_QUOTE: Final = 15
VOLUME_BACKWARDS: Final = 16

# Other reasons not to use a packet; they came later.
PRICE_JUMP: Final = 21
HANDOFF_FULL: Final = 22

REASON_NAMES: Final = {
    WRONG_LENGTH: "wrong_length",
    UNKNOWN_MODE: "unknown_mode",
    UNKNOWN_TOKEN: "unknown_token",
    WRONG_EXCHANGE: "wrong_exchange",  # the token of an instrument under another type of exchange
    MODE_WITHOUT_VOLUME: "mode_without_volume",
    IMPOSSIBLE_DEPTH: "impossible_depth",  # a buy among the sells, a price or quantity below zero
    IMPOSSIBLE_PRICE: "impossible_price",
    OUTSIDE_CIRCUIT: "outside_circuit",
    IMPOSSIBLE_VOLUME: "impossible_volume",
    IMPOSSIBLE_TIME: "impossible_time",  # or a last trade that is later than the packet
    CLOCK_JUMP: "clock_jump",
    OUT_OF_ORDER: "out_of_order",
    DUPLICATE: "duplicate",
    NOTHING_NEW: "nothing_new",  # no trade, and a mode without a quote
    CROSSED_QUOTE: "crossed_quote",  # bid not below ask: both are left out
    VOLUME_BACKWARDS: "volume_backwards",  # on one day: no tick, and counted on from the lower one
    PRICE_JUMP: "price_jump",  # to more than twenty times the last price, or less than a twentieth, and not told again
    HANDOFF_FULL: "handoff_full",  # no room between the feed's reader and the session
}

# Places of what was used.
TICKS: Final = 17
QUOTES: Final = 18
HEARTBEATS: Final = 19
FIRST_PACKETS: Final = (
    20  # an instrument's first packet, whose trade may be old; counted as a quote, too, if it has one
)

COUNTS: Final = 24

PRICE_END: Final = 10**10 + 1  # paise: ten crore rupees at the most, as in files of ticks
PRICE_JUMP_MAX: Final = 20  # times
VOLUME_END: Final = 2**53

NO_TRADE: Final = -1
BACKWARDS: Final = -2

NEVER_SEEN: Final = 0
EARLIER_PROCESS: Final = -1

DAY_NS: Final = 86_400_000_000_000


class Packet(NamedTuple):
    """What a feed says of one instrument at one time; prices in paise, times in ns since the epoch, UTC."""

    row: int  # of the feed's memory
    instrument: int  # the engine's number; -1: none, such as an index
    number: int  # the broker's sequence number; 0: none
    time_ns: int  # exchange time; below 1: impossible
    price: int  # of the last trade
    has_volume: bool
    total_volume: int  # of the day
    traded_ns: int  # time of the last trade; 0: not said; below 0: impossible
    has_quote: bool
    bid: int  # 0: none
    ask: int
    lower_circuit: int  # 0: not said
    upper_circuit: int
    open_interest: int


class Memory(NamedTuple):
    """What a feed remembers of one token."""

    connection: int  # the one that its last packet came on, from 1; NEVER_SEEN, EARLIER_PROCESS
    day: int  # calendar day, since the epoch, that the cumulative volume is of
    time_ns: int
    price: int
    total_volume: int
    traded_ns: int
    bid: int
    ask: int
    odd_price: int  # of the last packet if that was refused for its price; 0: it was not


MEMORY: Final = dtype_of(Memory)

FEED: Final = np.dtype(
    [
        ("connection", "<i8"),  # number of the connection, from 1
        ("zone_offset_ns", "<i8"),  # local time less UTC, where a calendar day begins
        ("max_clock_jump_ns", "<i8"),
        ("clock_ns", "<i8"),  # the exchange's time, 0: not known yet...
        ("clock_arrived_ns", "<i8"),  # ...at this monotonic time
        ("counts", "<i8", (COUNTS,)),
    ]
)


@inlined
def to_ns(count: int, unit_ns: int) -> int:
    """Return a time given in seconds, milliseconds... as ns, or -1 where it is none of this century."""
    return count * unit_ns if 0 <= count < NEVER // unit_ns else -1


@inlined
def discard(reason: int, feed: np.ndarray[Any, Any]) -> int:
    """Count a packet that is not used."""
    feed[0]["counts"][reason] += 1
    return NOTHING


@inlined
def _latest_ns(arrived_ns: int, feed: np.ndarray[Any, Any]) -> int:
    """Return the latest exchange time that can be: the feed's clock carried on, and the jump that is allowed."""
    clock = feed[0]
    if clock["clock_ns"] == 0:
        return NEVER
    return int(clock["clock_ns"]) + arrived_ns - int(clock["clock_arrived_ns"]) + int(clock["max_clock_jump_ns"])


@inlined
def _impossible(packet: Packet, latest_ns: int, max_clock_jump_ns: int) -> int:
    """Return why a packet can't be true, whatever came before it, or `NOTHING`."""
    if not 0 < packet.price < PRICE_END:
        return IMPOSSIBLE_PRICE
    if packet.price < packet.lower_circuit or 0 < packet.upper_circuit < packet.price:
        return OUTSIDE_CIRCUIT
    if not 0 <= packet.total_volume < VOLUME_END:
        return IMPOSSIBLE_VOLUME
    if packet.time_ns <= 0 or not 0 <= packet.traded_ns <= packet.time_ns + max_clock_jump_ns:
        return IMPOSSIBLE_TIME
    if packet.time_ns > latest_ns:
        return CLOCK_JUMP
    return NOTHING


@inlined
def _known(packet: Packet, last: Any) -> int:
    """Return whether a packet is older than the last one of its token, or the same again."""
    if packet.time_ns != last["time_ns"]:
        return OUT_OF_ORDER if packet.time_ns < last["time_ns"] else NOTHING
    if packet.total_volume != last["total_volume"]:
        return OUT_OF_ORDER if packet.total_volume < last["total_volume"] else NOTHING
    if packet.traded_ns != last["traded_ns"]:
        return OUT_OF_ORDER if packet.traded_ns < last["traded_ns"] else NOTHING
    same = packet.price == last["price"] and packet.bid == last["bid"] and packet.ask == last["ask"]
    return DUPLICATE if same else NOTHING


@inlined
def _is_far(price: int, before: int) -> bool:
    """Return whether a price is no likely one after another: a damaged packet's, unless the next one says the same."""
    return price > before * PRICE_JUMP_MAX or before > price * PRICE_JUMP_MAX


@inlined
def _set_clock(packet: Packet, arrived_ns: int, last: Any, feed: np.ndarray[Any, Any]) -> None:
    """Let the feed's clock follow a token whose time moved on.

    The first packet of a token on a connection says what was last known of it, which may be of yesterday: taken for the
    exchange's time, it would make a jump of the first that is of today.
    """
    clock = feed[0]
    if last["connection"] == clock["connection"] and packet.time_ns > max(last["time_ns"], clock["clock_ns"]):
        clock["clock_ns"] = packet.time_ns
        clock["clock_arrived_ns"] = arrived_ns


@inlined
def _remember(packet: Packet, traded_ns: int, day: int, connection: int, last: Any) -> None:
    last["connection"] = connection
    last["day"] = day
    last["time_ns"] = packet.time_ns
    last["price"] = packet.price
    last["total_volume"] = packet.total_volume
    last["traded_ns"] = traded_ns
    last["bid"] = packet.bid
    last["ask"] = packet.ask
    last["odd_price"] = 0


def calendar_day(time_ns: int, zone_offset_ns: int) -> int:
    """Return the number of the local calendar day since the epoch."""
    return (time_ns + zone_offset_ns) // DAY_NS


_calendar_day = inlined(calendar_day)


@inlined
def _traded(packet: Packet, traded_ns: int, day: int, last: Any) -> int:
    """Return the quantity traded since the last packet of the token, `NO_TRADE` or `BACKWARDS`.

    Cumulative volume starts anew each calendar day: the day of the last trade where the packet says it, for before the
    first trade of a day a feed may go on with yesterday's volume.
    """
    before = int(last["total_volume"])
    if day > last["day"] and (packet.traded_ns > 0 or packet.total_volume != before):
        before = 0
    if packet.total_volume < before:
        return BACKWARDS
    if packet.total_volume > before or traded_ns > last["traded_ns"] > 0:
        return packet.total_volume - before
    return NO_TRADE


@inlined
def _write(
    kind: int,
    packet: Packet,
    quantity: int,
    arrived_ns: int,
    wall_ns: int,
    connection: int,
    words: np.ndarray[Any, Any],
) -> None:
    """Write the journal's input into the first row of `words`."""
    bid, ask = packet.bid, packet.ask
    event = Event(kind, packet.instrument, 0, packet.time_ns, wall_ns, packet.price, quantity, bid, ask, 0, 0, 0, 0)
    traded_ns, total_volume, interest = packet.traded_ns, packet.total_volume, packet.open_interest
    origin = Origin(arrived_ns, 0, total_volume, traded_ns, packet.number, connection, interest, 0)
    for word in range(len(event)):
        words[0, word] = event[word]
    for word in range(len(origin)):
        words[0, len(event) + word] = origin[word]


@inlined
def _use(
    first: bool,
    packet: Packet,
    arrived_ns: int,
    wall_ns: int,
    last: Any,
    feed: np.ndarray[Any, Any],
    words: np.ndarray[Any, Any],
) -> int:
    """Remember a packet that can be true and is new, and pass on what it says."""
    clock, connection = feed[0], int(feed[0]["connection"])
    counts = clock["counts"]
    traded_ns = packet.traded_ns if first else max(packet.traded_ns, int(last["traded_ns"]))
    day = _calendar_day(traded_ns if packet.traded_ns > 0 else packet.time_ns, int(clock["zone_offset_ns"]))
    quantity = NO_TRADE if first else _traded(packet, traded_ns, day, last)
    _remember(packet, traded_ns, day, connection, last)
    if packet.instrument < 0:
        counts[HEARTBEATS] += 1
        return ALIVE
    counts[FIRST_PACKETS] += first
    counts[VOLUME_BACKWARDS] += quantity == BACKWARDS
    if quantity >= 0:
        counts[TICKS] += 1
        _write(codes.TICK, packet, quantity, arrived_ns, wall_ns, connection, words)
        return TICKED
    if packet.has_quote:
        counts[QUOTES] += 1
        _write(codes.QUOTE, packet, 0, arrived_ns, wall_ns, connection, words)
        return QUOTED
    return discard(NOTHING_NEW, feed)


@inlined
def judge(
    packet: Packet,
    arrived_ns: int,
    wall_ns: int,
    memory: np.ndarray[Any, Any],
    feed: np.ndarray[Any, Any],
    words: np.ndarray[Any, Any],
) -> int:
    """Return what became of a packet; a tick or a quote stands in the first row of `words`, int64, shape (n, 21).

    `memory` has a record `MEMORY` per token, `feed` is one record `FEED`; `arrived_ns` is monotonic, `wall_ns` UTC.
    """
    if packet.instrument >= 0 and not packet.has_volume:
        return discard(MODE_WITHOUT_VOLUME, feed)
    latest_ns = _latest_ns(arrived_ns, feed)
    reason = _impossible(packet, latest_ns, int(feed[0]["max_clock_jump_ns"]))
    if reason != NOTHING:
        return discard(reason, feed)
    crossed = packet.bid >= packet.ask > 0
    if crossed:
        packet = packet._replace(bid=0, ask=0)
    last = memory[packet.row]
    # A time that can't be, remembered while the clock was not known, must not make every later packet an old one.
    first = last["connection"] == NEVER_SEEN or last["time_ns"] > latest_ns
    if not first:
        reason = _known(packet, last)
        if reason != NOTHING:
            return discard(reason, feed)
        if _is_far(packet.price, last["price"]) and _is_far(packet.price, last["odd_price"]):
            last["odd_price"] = packet.price
            return discard(PRICE_JUMP, feed)
        _set_clock(packet, arrived_ns, last, feed)
    feed[0]["counts"][CROSSED_QUOTE] += crossed
    return _use(first, packet, arrived_ns, wall_ns, last, feed, words)


def recall(memory: np.ndarray[Any, Any], row: int, last: Input, zone_offset_ns: int) -> None:
    """Set a row of the memory to the last journaled input of its instrument, so that a restart goes on where it was."""
    event, origin = last
    day = calendar_day(origin.traded_ns if origin.traded_ns > 0 else event.time_ns, zone_offset_ns)
    memory[row] = Memory(
        EARLIER_PROCESS, day, event.time_ns, event.price, origin.total_volume, origin.traded_ns, event.bid, event.ask, 0
    )
