"""Angel One's packets, written and read a second time with `struct`; and, as a script, the decoder as a filter.

The script reads a packet in hex per line and writes what became of it and the row of words, as JSON.
"""

import json
import struct
import sys
from typing import Any, Final, NamedTuple

from myquant.brokers.angelone.decode import FrameDecoder
from myquant.brokers.angelone.tokens import NO_INSTRUMENT, Token, TokenTable
from myquant.core.records import Event
from myquant.journal.record import Input, Origin

HEAD: Final = struct.Struct("<BB25sqqq")
DAY: Final = struct.Struct("<qqqddqqqq")
TRADE: Final = struct.Struct("<qqd")
LEVEL: Final = struct.Struct("<HqqH")
LIMITS: Final = struct.Struct("<qqqq")

SIZES: Final = {1: 51, 2: 123, 3: 379}

IST_NS: Final = 19_800 * 10**9
JUMP_NS: Final = 5 * 10**9

TOKENS: Final = (
    Token(1, "17758", 0),
    Token(2, "35003", 1),
    Token(2, "17758", 2),
    Token(1, "26000", NO_INSTRUMENT),
    Token(4, "9" * 18, 3),
)


class Level(NamedTuple):
    flag: int
    quantity: int = 0
    price: int = 0
    orders: int = 0


class Wire(NamedTuple):
    """All fields of a packet, in the order of the layout; those that a mode lacks are not packed."""

    mode: int = 3
    exchange_type: int = 1
    token: bytes = b"17758"
    number: int = 19562
    time_ms: int = 1728696324621
    price: int = 49950
    last_quantity: int = 10
    average: int = 49674
    volume: int = 527842
    buy_quantity: float = 0.0
    sell_quantity: float = 2863.0
    open: int = 49735
    high: int = 50500
    low: int = 48730
    close: int = 49825
    traded_s: int = 1728642580
    open_interest: int = 0
    open_interest_change: float = 0.0
    buys: tuple[Level, ...] = (Level(1),) * 5
    sells: tuple[Level, ...] = (Level(0, 2863, 49950, 11), *(Level(0),) * 4)
    upper_circuit: int = 59940
    lower_circuit: int = 39960
    year_high: int = 51830
    year_low: int = 18025


def pack(wire: Wire) -> bytes:
    levels = b"".join(LEVEL.pack(*level) for level in (*wire.buys, *wire.sells))
    whole = HEAD.pack(*wire[:6]) + DAY.pack(*wire[6:15]) + TRADE.pack(*wire[15:18]) + levels + LIMITS.pack(*wire[20:])
    return whole[: SIZES[wire.mode]]


def unpack(packet: bytes) -> Wire:
    """Return the fields of a whole packet; those that its mode lacks are zero."""
    if len(packet) != SIZES[packet[0]]:
        raise ValueError("not the length of its mode")
    whole = packet + bytes(SIZES[3] - len(packet))
    levels = [Level(*level) for level in LEVEL.iter_unpack(whole[147:347])]
    mode, exchange_type, token, *head = HEAD.unpack_from(whole)
    name = token.split(b"\0")[0]
    parts = (*DAY.unpack_from(whole, 51), *TRADE.unpack_from(whole, 123))
    limits = LIMITS.unpack_from(whole, 347)
    return Wire._make((mode, exchange_type, name, *head, *parts, tuple(levels[:5]), tuple(levels[5:]), *limits))


def new_decoder() -> FrameDecoder:
    return FrameDecoder(TokenTable(TOKENS), IST_NS, JUMP_NS)


def words_of(decoder: FrameDecoder) -> Input:
    words = decoder.words[0].tolist()
    return Input(Event(*words[: len(Event._fields)]), Origin(*words[len(Event._fields) :]))


def outcomes(packets: list[bytes]) -> list[Any]:
    """Return what became of each packet of one connection, its row of words, and the counts at the end."""
    decoder = new_decoder()
    answers: list[Any] = [
        [decoder.take(packet, 10**9 * place, 10**9), decoder.words[0].tolist()] for place, packet in enumerate(packets)
    ]
    return [*answers, decoder.counts.tolist()]


if __name__ == "__main__":
    for answer in outcomes([bytes.fromhex(line) for line in sys.stdin]):
        print(json.dumps(answer))  # noqa: T201  (a filter)
