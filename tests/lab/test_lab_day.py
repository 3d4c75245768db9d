"""The day that the ticks make: every tick a packet that counts, indices beside, prices from the ticks."""

from datetime import time

import numpy as np
import pytest

from lab.labs import DAY, OPEN_NS, OTHER, SYMBOL, small_day
from myquant.lab.angelone.day import Day, Rows, day_of
from myquant.lab.angelone.instruments import indices_of
from myquant.lab.angelone.packet import SNAP_QUOTE
from myquant.lab.angelone.server import day_packets
from myquant.lab.market_day import generated_day, market_day
from myquant.market.calendar import session_ns
from myquant.ticks.batch import InstrumentName
from myquant.ticks.generate import SECOND_NS


def rows_of(day: Day, who: int) -> Rows:
    found: Rows = day.rows[day.rows["who"] == who]
    return found


@pytest.mark.parametrize("who", [0, 1])
def test_every_tick_is_a_packet_that_counts(who: int) -> None:
    ticks = small_day(300, (SYMBOL, OTHER))
    rows = rows_of(day_of(ticks), who)
    assert len(rows) == 150
    assert (np.diff(rows["volume"], prepend=0) > 0).all()  # even in a mode without the time of the last trade
    assert rows["price"].tolist() == ticks.price[who::2].tolist()
    assert rows["last_quantity"].tolist() == ticks.volume[who::2].tolist()
    assert (rows["exchange_ms"] * 1_000_000).tolist() == ticks.time_ns[who::2].tolist()


def test_a_tick_without_volume_adds_a_unit() -> None:
    seconds = np.array([0, 0, 1, 1, 0])
    price, zeros = np.full(5, 100), np.zeros(5, np.int64)
    ticks = market_day(DAY, [InstrumentName(SYMBOL)], OPEN_NS + seconds * SECOND_NS, price, zeros, zeros, zeros, zeros)
    rows = rows_of(day_of(ticks), 0)
    assert rows["volume"].tolist() == [1, 2, 3, 4, 5]
    assert rows["last_quantity"].tolist() == [0] * 5
    assert rows["traded_s"].tolist() == (OPEN_NS // SECOND_NS + seconds).tolist()  # the last one goes back, as it does
    assert (np.diff(rows["due_ns"]) >= 0).all()


def test_volume_is_the_sum_and_prices_are_running() -> None:
    ticks = generated_day(seed=4)
    rows = rows_of(day_of(ticks), 0)
    assert rows["volume"].tolist() == np.cumsum(ticks.volume).tolist()
    assert rows["high"].tolist() == np.maximum.accumulate(ticks.price).tolist()
    assert rows["low"].tolist() == np.minimum.accumulate(ticks.price).tolist()
    assert set(rows["open"].tolist()) == {int(ticks.price[0])}
    assert rows["bid"].tolist() == ticks.bid.tolist()
    assert rows["ask"].tolist() == ticks.ask.tolist()


def test_without_quotes_a_tick_size_makes_them() -> None:
    rows = rows_of(day_of(small_day(quotes=False)), 0)
    assert (rows["price"] - rows["bid"] == 5).all()
    assert (rows["ask"] - rows["price"] == 5).all()


def test_five_levels_lie_a_tick_size_apart_and_end_at_nothing() -> None:
    zeros = np.zeros(1, np.int64)
    one = np.array([15])
    ticks = market_day(DAY, [InstrumentName(SYMBOL)], np.array([OPEN_NS]), one, one, zeros, zeros, zeros)
    day = day_of(ticks)
    packet = day.packets(rows_of(day, 0))[0]
    assert packet["buys"]["price"].tolist() == [10, 5, 0, 0, 0]
    assert packet["sells"]["price"].tolist() == [20, 25, 30, 35, 40]
    assert packet["buys"]["quantity"].tolist() == [75, 150, 0, 0, 0]
    assert packet["buy_quantity"] == 225


def test_indices_tick_every_second_until_two_minutes_after_the_close() -> None:
    day = day_of(small_day(50))
    index = rows_of(day, 1)
    _, close_ns = session_ns(DAY, time(9, 15), time(15, 30), "Asia/Kolkata")
    assert day.instruments[1] == indices_of(())[0]
    assert index["due_ns"].tolist() == list(range(OPEN_NS, close_ns + 120 * SECOND_NS + 1, SECOND_NS))
    assert (index["sequence"] == 0).all()
    assert (index["volume"] == 0).all()
    assert int(day.rows["due_ns"][-1]) == close_ns + 120 * SECOND_NS


def test_circuits_are_out_of_reach() -> None:
    day = day_of(generated_day())
    rows, static = rows_of(day, 0), day.static[0]
    assert static["lower"] < rows["low"].min() < rows["high"].max() < static["upper"]


def test_before_the_first_tick_nothing_has_traded() -> None:
    day = day_of(small_day())
    opening = day.opening()
    assert len(opening) == 2
    assert opening["volume"].tolist() == opening["traded_s"].tolist() == [0, 0]
    assert opening["price"].tolist() == day.static["close"].tolist()


def test_contracts_of_two_exchanges_bring_both_indices() -> None:
    day = day_of(small_day(100, (SYMBOL, "SENSEX09OCT2582000CE")))
    assert [each.symbol for each in day.instruments[2:]] == ["Nifty 50", "SENSEX"]
    assert [each.exchange_type for each in day.instruments] == [2, 4, 1, 3]


def test_the_same_ticks_give_the_same_bytes() -> None:
    packets = day_packets(small_day())
    assert packets == day_packets(small_day())
    assert len(packets) == len(day_of(small_day()).rows)
    assert {packet[0] for packet in packets} == {SNAP_QUOTE}
