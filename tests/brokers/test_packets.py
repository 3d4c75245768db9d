"""Which packets of a feed are ticks: streams of packets of one instrument, and what becomes of each."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from core.jit import jitted
from myquant.brokers.packets import (
    ALIVE,
    COUNTS,
    CROSSED_QUOTE,
    DAY_NS,
    FEED,
    FIRST_PACKETS,
    HANDOFF_FULL,
    MEMORY,
    NOTHING_NEW,
    PRICE_JUMP,
    QUOTED,
    REASON_NAMES,
    TICKED,
    TICKS,
    VOLUME_BACKWARDS,
    Packet,
    judge,
    recall,
    to_ns,
)
from myquant.core import codes
from myquant.core.records import Event
from myquant.journal.record import BODY_WORDS, Input, Origin

IST_NS, JUMP_NS = 19_800 * 10**9, 5 * 10**9
MIDNIGHT_NS = 20_000 * DAY_NS - IST_NS


@jitted
def take(packet: Any, arrived_ns: int, wall_ns: int, memory: Any, feed: Any, words: Any) -> int:
    return judge(packet, arrived_ns, wall_ns, memory, feed, words)


@jitted
def as_ns(count: int, unit_ns: int) -> int:
    return to_ns(count, unit_ns)


def ns(clock: str) -> int:
    """Return `10:00:01`, or `2 10:00:01` on the second day, as UTC ns."""
    day, _, time = clock.rpartition(" ")
    hours, minutes, seconds = time.split(":")
    return MIDNIGHT_NS + int(day or 1) * DAY_NS + round((int(hours) * 60 + int(minutes)) * 60 + float(seconds)) * 10**9


class Says(NamedTuple):
    """A packet as the table below writes it; `arrived`: by the host's clock, like `time` if empty."""

    time: str
    volume: int = 1000
    traded: str = ""  # empty: a mode that does not say it
    quote: tuple[int, int] | None = (9_990, 10_010)  # None: a mode without
    price: int = 10_000
    arrived: str = ""
    circuits: tuple[int, int] = (0, 0)
    instrument: int = 0
    has_volume: bool = True


def packet_of(says: Says) -> Packet:
    bid, ask = says.quote or (0, 0)
    traded_ns = ns(says.traded) if says.traded else 0
    return Packet(
        1 + says.instrument,
        says.instrument,
        77,
        ns(says.time),
        says.price,
        says.has_volume,
        says.volume,
        traded_ns,
        says.quote is not None,
        bid,
        ask,
        *says.circuits,
        5,
    )


class Desk:
    """A feed with an index in row 0 of its memory and one instrument, 0, in row 1."""

    def __init__(self) -> None:
        self.memory = np.zeros(2, MEMORY)
        self.feed = np.zeros(1, FEED)
        self.feed[0]["connection"] = 1
        self.feed[0]["zone_offset_ns"] = IST_NS
        self.feed[0]["max_clock_jump_ns"] = JUMP_NS
        self.counts = self.feed[0]["counts"]
        self.words = np.zeros((3, BODY_WORDS), np.int64)

    def take(self, packet: Packet, arrived_ns: int) -> str:
        """Return `tick of 75`, `quote`, `alive`, or the reason why the packet was not used."""
        before = self.counts.copy()
        self.words[:] = -99
        outcome = take(packet, arrived_ns, 55, self.memory, self.feed, self.words)
        assert (self.words[1:] == -99).all()
        assert (self.words[0] == -99).all() == (outcome not in {TICKED, QUOTED})
        grown = (self.counts - before).tolist()
        notes = (FIRST_PACKETS, CROSSED_QUOTE, VOLUME_BACKWARDS)
        assert sum(count for place, count in enumerate(grown) if place not in notes) == 1
        if outcome == TICKED:
            assert self.words[0, 0] == codes.TICK
            return f"tick of {self.words[0, 6]}"
        if outcome == QUOTED:
            assert self.words[0, 0] == codes.QUOTE
            assert self.words[0, 6] == 0
            return "quote"
        if outcome == ALIVE:
            return "alive"
        return REASON_NAMES[next(place for place in (*range(1, NOTHING_NEW + 1), PRICE_JUMP) if grown[place])]

    def hear(self, says: Says) -> str:
        return self.take(packet_of(says), ns(says.arrived or says.time))


def index(time: str, price: int = 10_000, arrived: str = "") -> Says:
    return Says(time, 0, quote=None, price=price, arrived=arrived, instrument=-1, has_volume=False)


S = Says

STREAMS: dict[str, list[tuple[Says, str]]] = {
    "the first packet's trade may be old: it is no tick": [
        (S("10:00:00", 1000, "09:59:58"), "quote"),
        (S("10:00:01", 1075, "10:00:01"), "tick of 75"),
    ],
    "volume that moved is a tick, also within one second": [
        (S("10:00:00", 1000, "10:00:00"), "quote"),
        (S("10:00:00", 1075, "10:00:00"), "tick of 75"),
        (S("10:00:00", 1225, "10:00:00"), "tick of 150"),
    ],
    "a last trade that moved is a tick, though the volume stood": [
        (S("10:00:00", 1000, "09:59:58"), "quote"),
        (S("10:00:01", 1000, "10:00:01"), "tick of 0"),
    ],
    "no trade: bid and ask are refreshed, changed or not": [
        (S("10:00:00", 1000, "09:59:58"), "quote"),
        (S("10:00:01", 1000, "09:59:58", (9_985, 10_005)), "quote"),
        (S("10:00:01", 1000, "09:59:58", (9_985, 0)), "quote"),
        (S("10:00:02", 1000, "09:59:58", (9_985, 0)), "quote"),
    ],
    "the same again is not passed on": [
        (S("10:00:00", 1000, "09:59:58"), "quote"),
        (S("10:00:00", 1000, "09:59:58"), "duplicate"),
        (S("10:00:01", 1075, "10:00:01"), "tick of 75"),
        (S("10:00:01", 1075, "10:00:01"), "duplicate"),
        (S("10:00:01", 1075, "10:00:01", (0, 10_010)), "quote"),
    ],
    "what is older than the last is not used": [
        (S("10:00:00", 1000, "10:00:00"), "quote"),
        (S("10:00:02", 1150, "10:00:02"), "tick of 150"),
        (S("10:00:01", 1075, "10:00:01"), "out_of_order"),
        (S("10:00:02", 1075, "10:00:02"), "out_of_order"),
        (S("10:00:02", 1150, "10:00:01"), "out_of_order"),
        (S("10:00:03", 1225, "10:00:03"), "tick of 75"),
    ],
    "a price that is absurd after the last one is not used, unless the next packet says the same": [
        (S("10:00:00", 1000, price=20_000), "quote"),
        (S("10:00:01", 1075, price=400_000), "tick of 75"),
        (S("10:00:02", 1150, price=8_000_001), "price_jump"),
        (S("10:00:04", 1300, price=19_999), "price_jump"),
        (S("10:00:05", 1375, price=19_998), "tick of 300"),
        (S("10:00:07", 1525, price=9_999_999_999), "price_jump"),
        (S("10:00:09", 1675, price=20_010), "tick of 300"),
    ],
    "a mode with volume only": [
        (S("10:00:00", 1000, quote=None), "nothing_new"),
        (S("10:00:01", 1075, quote=None), "tick of 75"),
        (S("10:00:02", 1075, quote=None), "nothing_new"),
        (S("10:00:02", 1075, quote=None), "duplicate"),
    ],
    "a mode that says when the last trade was, for the first time, is no trade": [
        (S("10:00:00", 1000, quote=None), "nothing_new"),
        (S("10:00:01", 1000, "09:59:58"), "quote"),
    ],
    "a mode without volume is of no use for an instrument": [
        (S("10:00:00", has_volume=False), "mode_without_volume"),
    ],
    "an index shows that the feed lives": [
        (index("10:00:00"), "alive"),
        (index("10:00:01"), "alive"),
        (index("10:00:01"), "duplicate"),
        (index("10:00:01", price=10_005), "alive"),
        (index("10:00:00", price=10_005), "out_of_order"),
    ],
    "volume that goes backwards is counted on from where it is": [
        (S("10:00:00", 1000, "10:00:00"), "quote"),
        (S("10:00:01", 900, "10:00:01"), "quote"),
        (S("10:00:02", 975, "10:00:02"), "tick of 75"),
    ],
    "a last trade that goes backwards is none, and its return is none either": [
        (S("10:00:00", 1000, "10:00:00"), "quote"),
        (S("10:00:01", 1000, "09:59:00"), "quote"),
        (S("10:00:02", 1000, "10:00:00"), "quote"),
        (S("10:00:03", 1000, "10:00:03"), "tick of 0"),
    ],
    "volume starts anew each calendar day": [
        (S("15:29:59", 1000, "15:29:59"), "quote"),
        (S("2 09:15:00", 75, "2 09:15:00"), "tick of 75"),
        (S("2 09:15:01", 225, "2 09:15:01"), "tick of 150"),
    ],
    "also where the first volume of the day is the last one of the day before, or above it": [
        (S("15:29:59", 75, "15:29:59"), "quote"),
        (S("2 09:15:00", 75, "2 09:15:00"), "tick of 75"),
        (S("3 09:15:00", 150, "3 09:15:00"), "tick of 150"),
    ],
    "before the first trade of a day yesterday's volume may go on, or be zero already": [
        (S("15:29:59", 1000, "15:29:59"), "quote"),
        (S("2 09:00:00", 1000, "15:29:59"), "quote"),
        (S("2 09:08:00", 0, "15:29:59"), "quote"),
        (S("2 09:15:00", 75, "2 09:15:00"), "tick of 75"),
    ],
    "volume that starts anew in a mode that does not say when the last trade was": [
        (S("15:29:59", 1000, quote=None), "nothing_new"),
        (S("2 09:00:00", 1000, quote=None), "nothing_new"),
        (S("3 09:15:00", 75, quote=None), "tick of 75"),
        (S("4 09:15:00", 150, quote=None), "tick of 150"),
    ],
    "a last trade of days ago does not start the volume anew": [
        (S("2 10:00:00", 1000, "2 10:00:00"), "quote"),
        (S("2 10:00:01", 1000, "10:00:00"), "quote"),
        (S("2 10:00:02", 1075, "2 10:00:02"), "tick of 75"),
    ],
    "modes that take turns over night": [
        (S("15:29:59", 1000, "15:29:59"), "quote"),
        (S("2 09:00:00", 1000, quote=None), "nothing_new"),
        (S("2 09:01:00", 1000, "15:29:59"), "quote"),
        (S("2 09:15:00", 75, "2 09:15:00"), "tick of 75"),
        (S("3 09:15:00", 150, quote=None), "tick of 150"),
    ],
    "the day begins at midnight of the exchange": [
        (S("23:59:59", 1000, "23:59:59"), "quote"),
        (S("2 00:00:00", 1000, "2 00:00:00"), "tick of 1000"),
        (S("2 05:30:00", 1075, "2 05:30:00"), "tick of 75"),
    ],
    "an instrument that never traded": [
        (S("10:00:00", 0), "quote"),
        (S("10:00:01", 75, "10:00:01"), "tick of 75"),
    ],
    "a quote that is crossed is left out, the trade is used": [
        (S("10:00:00", 1000, "10:00:00"), "quote"),
        (S("10:00:01", 1075, "10:00:01", (10_010, 10_010)), "tick of 75"),
        (S("10:00:01", 1075, "10:00:01", (10_020, 10_010)), "duplicate"),
        (S("10:00:02", 1075, "10:00:01", (10_020, 10_010)), "quote"),
    ],
    "a price that can't be": [
        (S("10:00:00", price=0), "impossible_price"),
        (S("10:00:00", price=-1), "impossible_price"),
        (S("10:00:00", price=10**10 + 1), "impossible_price"),
        (S("10:00:00", circuits=(10_001, 20_000)), "outside_circuit"),
        (S("10:00:00", circuits=(5, 9_999)), "outside_circuit"),
        (S("10:00:00", circuits=(0, 9_999)), "outside_circuit"),
        (S("10:00:00", circuits=(10_001, 0)), "outside_circuit"),
        (S("10:00:00", circuits=(10_000, 10_000)), "quote"),
    ],
    "a volume that can't be": [
        (S("10:00:00", -1), "impossible_volume"),
        (S("10:00:00", 2**53), "impossible_volume"),
        (S("10:00:00", 2**53 - 1), "quote"),
    ],
    "a last trade later than the packet": [
        (S("10:00:00", 1000, "10:00:06"), "impossible_time"),
        (S("10:00:00", 1000, "10:00:05"), "quote"),
    ],
    "a time ahead of the exchange's, carried on, is a jump; nothing of the packet is used": [
        (index("10:00:00"), "alive"),
        (index("10:00:01"), "alive"),
        (S("10:00:10", 1000, "10:00:00", arrived="10:00:02"), "clock_jump"),
        (S("10:00:07", 1000, "10:00:00", arrived="10:00:02"), "quote"),
        (S("10:01:05", 1075, "10:01:05", arrived="10:01:00"), "tick of 75"),
        (index("11:00:00", arrived="10:01:01"), "clock_jump"),
        (index("10:01:06", arrived="10:01:01"), "alive"),
    ],
    "the exchange's time is the latest of all tokens": [
        (S("09:00:00", 1000, "09:00:00", arrived="10:00:00"), "quote"),
        (index("10:00:00"), "alive"),
        (index("10:00:01"), "alive"),
        (S("09:30:00", 1075, "09:30:00", arrived="10:00:02"), "tick of 75"),
        (index("10:00:03"), "alive"),
    ],
    "what was last known before today is not the exchange's time": [
        (index("09:00:00", arrived="2 09:00:00"), "alive"),
        (S("08:59:00", 1000, "08:59:00", arrived="2 09:00:00"), "quote"),
        (index("2 09:15:00"), "alive"),
        (index("2 09:15:01"), "alive"),
        (S("2 09:15:02", 75, "2 09:15:02"), "tick of 75"),
    ],
    "a time that was taken before the clock was known, and can't be, is not kept": [
        (S("15:00:00", 1000, "10:00:00", arrived="10:00:00"), "quote"),
        (index("10:00:00"), "alive"),
        (S("10:00:01", 1075, "10:00:01"), "out_of_order"),
        (index("10:00:01"), "alive"),
        (S("10:00:02", 1150, "10:00:02"), "quote"),
        (S("10:00:03", 1225, "10:00:03"), "tick of 75"),
    ],
}


@pytest.mark.parametrize("name", STREAMS)
def test_what_becomes_of_each_packet(name: str) -> None:
    desk = Desk()
    stream = STREAMS[name]
    assert [desk.hear(says) for says, _ in stream] == [outcome for _, outcome in stream]


def test_a_tick_says_all_that_the_journal_wants_to_know() -> None:
    desk = Desk()
    desk.hear(Says("10:00:00", 1000, "09:59:58"))
    says = Says("10:00:02", 1075, "10:00:01", (9_985, 10_005), 10_005, "10:00:03")
    assert desk.hear(says) == "tick of 75"
    event = Event(codes.TICK, 0, 0, ns("10:00:02"), 55, 10_005, 75, 9_985, 10_005, 0, 0, 0, 0)
    origin = Origin(ns("10:00:03"), 0, 1075, ns("10:00:01"), 77, 1, 5, 0)
    assert desk.words[0].tolist() == [*event, *origin]


def test_a_quote_is_an_event_of_its_own_kind() -> None:
    desk = Desk()
    desk.hear(Says("10:00:00"))
    assert codes.EVENT_NAMES[int(desk.words[0, 0])] == "quote"


def test_a_crossed_or_backward_packet_is_counted_once_if_it_is_used() -> None:
    desk = Desk()
    for name in (
        "a quote that is crossed is left out, the trade is used",
        "volume that goes backwards is counted on from where it is",
    ):
        for says, _ in STREAMS[name]:
            desk.hear(says._replace(time="2 " + says.time, traded="2 " + says.traded) if "backwards" in name else says)
    assert desk.counts[CROSSED_QUOTE] == 2
    assert desk.counts[VOLUME_BACKWARDS] == 1
    assert desk.counts[FIRST_PACKETS] == 1


def test_a_tick_with_a_crossed_quote_carries_none() -> None:
    desk = Desk()
    desk.hear(Says("10:00:00", 1000))
    desk.hear(Says("10:00:01", 1075, quote=(10_010, 10_000)))
    assert desk.words[0, 7:9].tolist() == [0, 0]


@pytest.mark.parametrize("cut", range(1, 4))
def test_after_a_restart_the_next_packet_is_told_like_without_one(cut: int) -> None:
    stream = [says for says, _ in STREAMS["volume starts anew each calendar day"]]
    stream.insert(2, Says("2 09:15:00", 75, "2 09:15:00", (9_980, 10_000)))
    stream.append(Says("2 09:15:02", 300, "2 09:15:02"))
    whole, restarted = Desk(), Desk()
    for says in stream[:cut]:
        whole.hear(says)
    words = whole.words[0].tolist()
    last = Input(Event(*words[: len(Event._fields)]), Origin(*words[len(Event._fields) :]))
    recall(restarted.memory, 1, last, IST_NS)
    for says in stream[cut - 1 :]:
        assert restarted.hear(says) == whole.hear(says)
        assert (restarted.words == whole.words).all()
    assert restarted.counts[TICKS] > 0


def test_a_new_connection_goes_on_with_what_is_known_but_learns_the_time_anew() -> None:
    desk = Desk()
    for clock in ("10:00:00", "10:00:01"):
        desk.hear(Says(clock, 1000, "10:00:00"))
    desk.feed[0]["connection"], desk.feed[0]["clock_ns"] = 2, 0
    assert desk.hear(Says("10:00:01", 1000, "10:00:00", arrived="11:00:00")) == "duplicate"
    assert desk.hear(Says("10:30:00", 1075, "10:30:00", arrived="11:00:00")) == "tick of 75"
    assert desk.words[0, 13 + 5] == 2
    assert desk.hear(Says("11:00:01", 1150, "11:00:01")) == "tick of 75"
    assert desk.hear(Says("11:01:01", 1225, "11:01:01", arrived="11:00:02")) == "clock_jump"


@pytest.mark.parametrize(
    ("count", "unit_ns", "expected"),
    [
        (1_728_696_324_621, 10**6, 1_728_696_324_621_000_000),
        (0, 10**9, 0),
        (-1, 10**9, -1),
        (2**62 // 10**9, 10**9, -1),
        (2**62 // 10**9 - 1, 10**9, (2**62 // 10**9 - 1) * 10**9),
        (2**63 - 1, 10**6, -1),
        (-(2**63), 10**6, -1),
    ],
)
def test_a_count_of_seconds_or_milliseconds_never_overflows(count: int, unit_ns: int, expected: int) -> None:
    assert as_ns(count, unit_ns) == expected


def test_every_reason_has_a_name_and_a_place() -> None:
    assert list(REASON_NAMES) == [*range(1, VOLUME_BACKWARDS + 1), PRICE_JUMP, HANDOFF_FULL]
    assert len(set(REASON_NAMES.values())) == len(REASON_NAMES)
    assert VOLUME_BACKWARDS < TICKS < FIRST_PACKETS < PRICE_JUMP < HANDOFF_FULL < COUNTS
