"""The arithmetic of an order at the simulated exchange: its limit, its share of a tick, its price, its times."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myquant.core import codes
from myquant.core.money import RATE_SCALE
from myquant.core.records import Event
from myquant.exchange.venue_orders import (
    CHANGE,
    GONE,
    LIMIT,
    ON_ITS_WAY,
    RESTING,
    WAITING,
    Contract,
    Request,
    Resting,
    VenueRules,
    arrive,
    check_rules,
    draw,
    found_price,
    limit_price,
    look,
    reach_ns,
    send,
    share_of,
)

PERCENT = RATE_SCALE // 100
MS = 1_000_000
RULES = VenueRules(LIMIT, 30 * MS, 120 * MS, 2 * PERCENT, 4, 10 * PERCENT, 0)
CONTRACT = Contract(65, 5, 1800, 0, 0)

#        side, price, ticks at least -> limit; two percent, tick size 5
LIMITS = [
    (codes.BUY, 10_000, 4, 10_200),
    (codes.SELL, 10_000, 4, 9_800),
    (codes.BUY, 10_130, 4, 10_330),  # 10,332.6 is rounded towards the price
    (codes.SELL, 10_130, 4, 9_930),  # and so is 9,927.4
    (codes.BUY, 500, 4, 520),  # two percent would be two ticks
    (codes.SELL, 500, 4, 480),
    (codes.BUY, 503, 1, 510),  # a price off the grid: 513.06
    (codes.SELL, 503, 1, 495),  # 492.94
    (codes.SELL, 10, 4, 5),  # nothing is sold below a tick
]


@pytest.mark.parametrize(("side", "price", "ticks", "limit"), LIMITS)
def test_the_limit_of_an_order(side: int, price: int, ticks: int, limit: int) -> None:
    assert limit_price(side, price, 5, RULES._replace(protection_ticks=ticks)) == limit


@given(
    side=st.sampled_from([codes.BUY, codes.SELL]),
    price=st.integers(1, 10**8),
    tick_size=st.sampled_from([1, 5, 10, 20]),
    rate=st.integers(0, RATE_SCALE),
    ticks=st.integers(1, 50),
)
def test_a_limit_lies_on_the_grid_between_the_price_and_its_protection(
    side: int, price: int, tick_size: int, rate: int, ticks: int
) -> None:
    rules = RULES._replace(protection_rate=rate, protection_ticks=ticks)
    limit = limit_price(side, price, tick_size, rules)
    assert limit % tick_size == 0
    assert limit > 0
    away = side * (limit - price)
    protection = max(price * rate // RATE_SCALE, ticks * tick_size)
    if limit > tick_size:
        assert protection - tick_size < away <= protection
    assert away >= 0 or price < tick_size


#         volume, left -> units; lots of 65, a tenth of the volume
SHARES = [(6500, 650, 650), (6500, 1300, 650), (7149, 1300, 650), (7150, 1300, 715), (65, 130, 65), (0, 65, 65)]


@pytest.mark.parametrize(("volume", "left", "units"), SHARES)
def test_an_order_takes_a_share_of_the_volume_in_lots(volume: int, left: int, units: int) -> None:
    assert share_of(volume, left, 65, 10 * PERCENT) == units


def seen(price: int, bid: int, ask: int, volume: int = 650, time_ns: int = 0) -> Event:
    return Event(codes.TICK, 0, 0, time_ns, 0, price, volume, bid, ask, 0, 0, 0, 0)


#         side, last, bid, ask, slippage -> price
PRICES = [
    (codes.BUY, 10_000, 9_990, 10_010, 0, 10_010),
    (codes.SELL, 10_000, 9_990, 10_010, 0, 9_990),
    (codes.BUY, 10_000, 0, 10_010, 0, 10_010),  # one side is enough for who takes it
    (codes.SELL, 10_000, 9_990, 0, 0, 9_990),
    (codes.BUY, 10_000, 9_990, 0, 0, 10_000),
    (codes.SELL, 10_000, 0, 10_010, 0, 10_000),
    (codes.BUY, 10_000, 10_020, 10_010, 0, 10_000),  # crossed: not to be trusted
    (codes.SELL, 10_000, 10_020, 10_010, 0, 10_000),
    (codes.BUY, 10_000, 10_010, 10_010, 0, 10_010),  # locked is not crossed
    (codes.BUY, 10_000, 9_990, 10_010, 25, 10_035),
    (codes.SELL, 10_000, 9_990, 10_010, 25, 9_965),
    (codes.SELL, 20, 0, 0, 25, 1),
    (codes.BUY, 0, 9_990, 0, 25, 0),  # a quote without a seller, and no trade
    (codes.SELL, 0, 0, 10_010, 0, 0),
]


@pytest.mark.parametrize(("side", "last", "bid", "ask", "slippage", "price"), PRICES)
def test_the_price_that_the_market_offers(side: int, last: int, bid: int, ask: int, slippage: int, price: int) -> None:
    assert found_price(side, seen(last, bid, ask), slippage) == price


@pytest.mark.parametrize(("quantity", "slices"), [(65, 1), (1755, 1), (1820, 2), (3510, 2), (3575, 3)])
def test_each_slice_takes_its_time(quantity: int, slices: int) -> None:
    order = send(0, 1, codes.BUY, quantity, 10_000, 0, 1000, CONTRACT, RULES)
    assert order == Resting(1, 0, ON_ITS_WAY, codes.BUY, quantity, 0, 0, 10_200, 0, 1000)
    assert reach_ns(order, 1000, CONTRACT, RULES) == 1000 + slices * 30 * MS


def test_without_a_freeze_quantity_there_is_one_slice() -> None:
    contract = CONTRACT._replace(freeze_quantity=0)
    order = send(0, 1, codes.BUY, 10**6, 100, 0, 0, contract, RULES)
    assert reach_ns(order, 0, contract, RULES) == 30 * MS


RESTS = Resting(1, 0, RESTING, codes.BUY, 130, 65, 650_000, 10_200, 0, 1000)
WAITS = Resting(1, 0, WAITING, codes.SELL, 130, 0, 0, 8_820, 9_000, 1000)


def test_a_look_fills_at_the_limit_and_not_beyond() -> None:
    assert look(RESTS, seen(0, 0, 10_205, time_ns=1000), CONTRACT, RULES).filled == 65
    filled = look(RESTS, seen(0, 0, 10_200, time_ns=1000), CONTRACT, RULES)
    assert (filled.filled, filled.value) == (130, 650_000 + 65 * 10_200)


def test_what_is_older_than_the_last_look_does_not_concern_an_order() -> None:
    assert look(RESTS, seen(10_000, 0, 0, time_ns=999), CONTRACT, RULES) is RESTS
    later = look(RESTS, seen(10_205, 0, 0, time_ns=1002), CONTRACT, RULES)
    assert look(later, seen(10_000, 0, 0, time_ns=1001), CONTRACT, RULES) is later
    assert look(later, seen(10_000, 0, 0, time_ns=1002), CONTRACT, RULES).filled == 130


def test_a_request_overtakes_nothing_that_has_happened() -> None:
    late = RESTS._replace(since_ns=40 * MS)
    assert reach_ns(late, 0, CONTRACT, RULES) == 40 * MS
    assert reach_ns(late, 20 * MS, CONTRACT, RULES) == 50 * MS


#          side, last price, trigger -> does it work now
TRIGGERS = [
    (codes.SELL, 9_005, False),
    (codes.SELL, 9_000, True),
    (codes.SELL, 8_000, True),  # a gap, beyond its limit
    (codes.BUY, 8_995, False),
    (codes.BUY, 9_000, True),
    (codes.BUY, 9_500, True),
]


@pytest.mark.parametrize(("side", "price", "works"), TRIGGERS)
def test_a_trade_at_the_trigger_or_beyond_lets_a_stop_order_work(side: int, price: int, works: bool) -> None:
    waits = WAITS._replace(side=side)
    after = look(waits, seen(price, 8_995, 9_005, time_ns=1500), CONTRACT, RULES)
    assert after == waits._replace(state=RESTING if works else WAITING, since_ns=1500)
    quote = seen(price, price, price, time_ns=1500)._replace(kind=codes.QUOTE)
    assert look(waits, quote, CONTRACT, RULES).state == WAITING


def test_a_stop_order_that_is_triggered_outside_the_price_band_is_gone() -> None:
    banded = CONTRACT._replace(low_price=8_825)
    assert look(WAITS, seen(9_000, 0, 0, time_ns=1500), banded, RULES).state == GONE
    assert look(WAITS, seen(9_000, 0, 0, time_ns=1500), CONTRACT._replace(low_price=8_820), RULES).state == RESTING


def test_what_was_traded_before_a_change_does_not_concern_the_changed_order() -> None:
    after, told = arrive(RESTS, Request(3000, CHANGE, 1, 10_300, 0), CONTRACT)
    assert (after.limit, after.since_ns, told.kind) == (10_300, 3000, codes.MODIFIED)
    assert look(after, seen(10_250, 0, 0, time_ns=2999), CONTRACT, RULES) is after
    assert look(after, seen(10_250, 0, 0, time_ns=3000), CONTRACT, RULES).filled == 130


@given(seed=st.integers(0, 2**63 - 1), most=st.integers(0, 2**31 - 1))
def test_a_draw_stays_in_its_range(seed: int, most: int) -> None:
    random, number = draw(seed, most)
    assert 0 <= random < 2**63
    assert 0 <= number <= most


def draws(count: int, most: int) -> list[int]:
    random, found = 1, []
    for _ in range(count):
        random, number = draw(random, most)
        found.append(number)
    return found


def test_draws_are_spread_evenly() -> None:
    tens = Counter(number // 10 for number in draws(10_000, 99))
    assert len(tens) == 10
    assert all(880 < count < 1120 for count in tens.values())


def test_a_draw_does_not_tell_the_next() -> None:
    pairs = Counter(pairwise(draws(10_000, 1)))
    assert len(pairs) == 4
    assert all(2300 < count < 2700 for count in pairs.values())


BAD_RULES = [
    {"model": 2},
    {"latency_ns": -1},
    {"jitter_ns": -1},
    {"jitter_ns": 2**31},
    {"protection_rate": RATE_SCALE + 1},
    {"protection_ticks": 0},
    {"participation_rate": 0},
    {"slippage": -1},
]


def test_rules_may_go_to_their_edges() -> None:
    check_rules(RULES._replace(latency_ns=0, jitter_ns=0, protection_rate=RATE_SCALE, participation_rate=1))


@pytest.mark.parametrize("change", BAD_RULES)
def test_rules_that_no_exchange_has(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not the rules of an exchange"):
        check_rules(RULES._replace(**change))
