"""What each fault of the stream does to the day, and that the same seed does the same."""

import struct
from typing import Any

import numpy as np
import pytest

from lab.labs import OTHER, SYMBOL, small_day
from myquant.lab.angelone.day import Day, Rows, day_of
from myquant.lab.angelone.disturb import CODES, disturbed
from myquant.lab.angelone.faults import (
    Burst,
    ClockJump,
    Corrupt,
    Crossed,
    Duplicate,
    Faults,
    Gap,
    OutOfOrder,
    Spike,
    SpikeOutside,
    Truncate,
    WrongExchange,
    WrongToken,
    parse_faults,
)
from myquant.lab.angelone.server import day_packets
from myquant.lab.market_day import MarketDay

TICKS = small_day(600, (SYMBOL, OTHER))
GOOD = day_of(TICKS)
SHARED = ("duplicate", "out_of_order", "corrupt", "truncate", "wrong_token", "wrong_exchange", "crossed", "spike")


def with_faults(**faults: Any) -> Day:
    return disturbed(GOOD, Faults(**faults))


def marked(day: Day, name: str) -> Rows:
    found: Rows = day.rows[day.rows["fault"] == CODES[name]]
    return found


def packets(ticks: MarketDay = TICKS, mode: int = 3, **faults: Any) -> list[bytes]:
    return day_packets(ticks, mode=mode, faults=Faults(**faults))


def test_no_fault_changes_nothing() -> None:
    assert with_faults().rows.tobytes() == GOOD.rows.tobytes()


@pytest.mark.parametrize("name", [*SHARED, "spike_outside"])
def test_a_seed_decides_which_ticks_of_contracts_it_befalls(name: str) -> None:
    def places(seed: int) -> list[int]:
        day = disturbed(GOOD, parse_faults([f"{name}=0.1"], seed))
        assert not day.static["is_index"][marked(day, name)["who"]].any()
        found: list[int] = marked(day, name)["sequence"].tolist()
        return found

    assert places(1) == places(1) != places(2)
    assert 30 < len(places(1)) < 100  # a tenth of 600


def test_all_together_are_the_same_for_a_seed() -> None:
    names = [f"{name}=0.05" for name in SHARED]
    first, again = (day_packets(TICKS, faults=parse_faults(names, 9)) for _ in range(2))
    assert first == again


def test_duplicates_are_the_same_bytes_again() -> None:
    found = packets(duplicate=Duplicate(share=0.2))
    twins = [i for i in range(1, len(found)) if found[i] == found[i - 1]]
    assert len(twins) == len(marked(with_faults(duplicate=Duplicate(share=0.2)), "duplicate")) > 0
    assert [packet for i, packet in enumerate(found) if i not in set(twins)] == packets()


def test_out_of_order_comes_some_packets_late() -> None:
    day = with_faults(out_of_order=OutOfOrder(share=0.02, by=3))
    late = np.flatnonzero(day.rows["fault"] == CODES["out_of_order"])
    assert len(late) > 0
    assert all((day.rows["due_ns"][at] > day.rows["exchange_ms"][at] * 10**6) for at in late)
    assert (np.diff(day.rows["due_ns"]) >= 0).all()
    assert sorted(packets(out_of_order=OutOfOrder(share=0.02))) == sorted(packets())


def test_a_gap_takes_contracts_away_for_a_while() -> None:
    found = with_faults(gap=Gap(after=100, seconds=30.0))
    lost = marked(found, "gap")
    span_s = (lost["due_ns"][-1] - lost["due_ns"][0]) / 1e9
    assert 28 <= span_s < 30
    assert len(packets(gap=Gap(after=100, seconds=30.0))) == len(GOOD.rows) - len(lost)
    assert 0 < len(lost) < 600


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_corrupt_packets_differ_in_a_few_bytes(mode: int) -> None:
    pairs = list(zip(packets(mode=mode), packets(mode=mode, corrupt=Corrupt(share=0.1)), strict=True))
    changed = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in pairs if pair[0] != pair[1]]
    assert len(changed) > 30
    assert max(changed) <= 8


def test_truncated_packets_are_beginnings() -> None:
    pairs = list(zip(packets(), packets(truncate=Truncate(share=0.1)), strict=True))
    cut = [(whole, short) for whole, short in pairs if whole != short]
    assert len(cut) > 30
    assert all(whole.startswith(short) and len(short) < len(whole) for whole, short in cut)


def test_a_wrong_instrument_is_one_that_nobody_lists() -> None:
    tokens = {each.token.encode() for each in GOOD.instruments}
    strange = [
        packet for packet in packets(wrong_token=WrongToken(share=0.1)) if packet[2:27].rstrip(b"\0") not in tokens
    ]
    assert len(strange) == len(marked(with_faults(wrong_token=WrongToken(share=0.1)), "wrong_token")) > 30
    types = {each.token.encode(): each.exchange_type for each in GOOD.instruments}
    moved = [
        packet
        for packet in packets(wrong_exchange=WrongExchange(share=0.1))
        if packet[1] != types[packet[2:27].rstrip(b"\0")]
    ]
    assert len(moved) > 30


def test_a_crossed_book_has_its_bid_above_its_ask() -> None:
    day = with_faults(crossed=Crossed(share=0.1))
    assert len(marked(day, "crossed")) > 30
    assert (marked(day, "crossed")["bid"] > marked(day, "crossed")["ask"]).all()
    others = day.rows[(day.rows["fault"] == 0) & (day.rows["bid"] > 0)]
    assert (others["bid"] < others["ask"]).all()


def test_spikes_lie_inside_or_outside_of_the_circuits() -> None:
    day = with_faults(spike=Spike(share=0.05, percent=-20), spike_outside=SpikeOutside(share=0.05))
    inside, outside = marked(day, "spike"), marked(day, "spike_outside")
    static = day.static[inside["who"]]
    assert len(inside) > 10
    assert (inside["price"] < GOOD.rows["low"][GOOD.rows["who"] < 2].min()).all()
    assert (inside["price"] >= static["lower"]).all()
    assert (inside["price"] % 5 == 0).all()
    assert len(outside) > 10
    assert (outside["price"] > day.static[outside["who"]]["upper"]).all()


@pytest.mark.parametrize(("seconds", "lasting"), [(300.0, 0), (-300.0, 0), (300.0, 1), (-300.0, 1)])
def test_a_clock_jumps_once_or_from_then_on(seconds: float, lasting: int) -> None:
    day = with_faults(clock_jump=ClockJump(after=100, seconds=seconds, lasting=lasting))
    moved = (day.rows["exchange_ms"] - GOOD.rows["exchange_ms"]) // 1000
    first = int(np.flatnonzero(moved)[0])
    assert first >= 100
    assert set(moved[first : first + 1].tolist()) == {int(seconds)}
    assert set(moved[first + 1 :].tolist()) == {int(seconds) if lasting else 0}
    assert ((day.rows["traded_s"] - GOOD.rows["traded_s"]) == moved).all()
    assert len(marked(day, "clock_jump")) == 1


def test_a_burst_is_ten_prints_for_one_and_each_counts() -> None:
    day = with_faults(burst=Burst(after=100, seconds=20.0, times=10))
    more = len(marked(day, "burst"))
    assert more == len(day.rows) - len(GOOD.rows) == 9 * 80  # four ticks a second
    for who in (0, 1):
        rows = day.rows[day.rows["who"] == who]
        assert (np.diff(rows["volume"], prepend=0) > 0).all()
    assert len(set(day.rows["sequence"][day.rows["sequence"] > 0].tolist())) == int((day.rows["sequence"] > 0).sum())


def test_volume_is_an_integer_of_eight_bytes_in_a_packet() -> None:
    first = next(packet for packet in packets() if packet[1] == 2)
    assert struct.unpack_from("<q", first, 67)[0] == GOOD.rows["volume"][0]
