"""The simulated exchange: what becomes of an order, event by event, in both models."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.jit import jitted
from exchange.venue_play import (
    ACKNOWLEDGED,
    ARRIVES,
    AT,
    BLANK,
    CONTRACT,
    MS,
    RULES,
    bought,
    limit_venue,
    played,
    tick,
    timer,
)
from myquant.core import codes, pricing
from myquant.core.records import NEVER, NO_ORDER, Event, Order, Rules, Tape
from myquant.exchange import instant
from myquant.exchange.venue import ORDERS_MAX_EACH, REQUESTS_MAX_EACH, WAITING_MAX, WAITING_MAX_EACH, Venue
from myquant.exchange.venue_orders import ASKED_FOR, AT_ONCE, BEYOND_PRICE_BAND, HAS_ENDED


def test_an_order_fills_after_it_has_arrived() -> None:
    found = played(bought(), tick(1049, 10_000), tick(1050, 10_010, volume=1300), tick(1060, 10_000))
    assert found == [ACKNOWLEDGED, ("fill", 1050, 130, 1_301_300, 0)]


def test_it_fills_in_parts_by_the_volume_and_tells_totals() -> None:
    found = played(bought(195), tick(1100, 10_000), tick(1200, 10_100, volume=10), tick(1300, 10_000, volume=10**9))
    assert found == [
        ACKNOWLEDGED,
        ("fill", 1100, 65, 650_000, 0),
        ("fill", 1200, 130, 1_306_500, 0),
        ("fill", 1300, 195, 1_956_500, 0),
    ]


def test_beyond_its_limit_it_rests_until_the_market_comes_back() -> None:
    venue = bought(65)
    assert played(venue, tick(1100, 10_205), tick(1200, 10_000, ask=10_205)) == [ACKNOWLEDGED]
    assert played(venue, tick(1300, 10_300, bid=10_190, ask=10_200)) == [("fill", 1300, 65, 663_000, 0)]


def test_an_order_works_until_it_is_filled_or_cancelled() -> None:
    venue = bought()
    assert played(venue, tick(1100, 10_000), timer(10**9)) == [ACKNOWLEDGED, ("fill", 1100, 65, 650_000, 0)]
    assert (venue.busy, venue.next_ns) == (True, NEVER)


def test_a_request_to_cancel_takes_its_time() -> None:
    venue = bought()
    assert played(venue, tick(1100, 10_000)) == [ACKNOWLEDGED, ("fill", 1100, 65, 650_000, 0)]
    venue.cancel(7, 1100 * MS)
    assert played(venue, tick(1149, 10_205), tick(1150, 10_000)) == [("cancelled", 1150, 65, 650_000, ASKED_FOR)]
    assert not venue.busy


def test_a_fill_that_comes_first_wins_over_a_request_to_cancel() -> None:
    venue = bought(65)
    venue.cancel(7, 1090 * MS)
    late = ("change_reject", 1140, 65, 650_000, HAS_ENDED)
    assert played(venue, tick(1139, 10_000), timer(5000)) == [ACKNOWLEDGED, ("fill", 1139, 65, 650_000, 0), late]
    assert not venue.busy


def test_an_order_that_is_cancelled_on_its_way_is_acknowledged_first() -> None:
    venue = bought()
    venue.cancel(7, AT - 20 * MS)
    assert played(venue, tick(1050, 10_000)) == [ACKNOWLEDGED, ("cancelled", 1050, 0, 0, ASKED_FOR)]


def test_a_request_to_cancel_has_to_reach_every_slice() -> None:
    venue = bought(1820)
    venue.cancel(7, 1200 * MS)
    assert played(venue, timer(1300)) == [("order_ack", 1100, 0, 0, 0), ("cancelled", 1300, 0, 0, ASKED_FOR)]


def test_a_tick_that_comes_after_a_later_one_fills_nothing() -> None:
    venue = bought()
    assert played(venue, tick(1090, 10_205)) == [ACKNOWLEDGED]
    assert played(venue, tick(1089, 10_000)) == []
    assert len(played(venue, tick(1100, 10_000))) == 1
    assert played(venue, tick(1099, 10_000)) == []
    assert len(played(venue, tick(1100, 10_000))) == 1


def test_a_request_to_cancel_what_has_ended_is_refused() -> None:
    venue = bought(65)
    played(venue, tick(1100, 10_000))
    venue.cancel(7, 1110 * MS)
    assert venue.busy
    assert played(venue, timer(1160)) == [("change_reject", 1160, 65, 650_000, HAS_ENDED)]
    assert not venue.busy


def test_the_second_request_to_cancel_is_refused() -> None:
    venue = bought()
    venue.cancel(7, 1100 * MS)
    venue.cancel(7, 1101 * MS)
    late = ("change_reject", 1151, 0, 0, HAS_ENDED)
    assert played(venue, timer(2000)) == [ACKNOWLEDGED, ("cancelled", 1150, 0, 0, ASKED_FOR), late]


@pytest.mark.parametrize(
    ("side", "low", "high", "rejected"),
    [
        (codes.BUY, 0, 10_200, False),
        (codes.BUY, 0, 10_195, True),
        (codes.SELL, 9_800, 0, False),
        (codes.SELL, 9_805, 20_000, True),
    ],
)
def test_a_limit_beyond_the_price_band_is_rejected(side: int, low: int, high: int, rejected: bool) -> None:
    venue = limit_venue(CONTRACT._replace(low_price=low, high_price=high))
    venue.submit(0, 7, side, 65, 10_000, 0, AT)
    found = played(venue, tick(1050, 10_000))
    if rejected:
        assert found == [("order_reject", 1050, 0, 0, BEYOND_PRICE_BAND)]
    else:
        assert found == [ACKNOWLEDGED, ("fill", 1050, 65, 650_000, 0)]
    assert not venue.busy


def test_an_order_above_the_freeze_quantity_takes_a_latency_per_slice() -> None:
    assert played(bought(1820), tick(1099, 10_000), tick(1100, 10_000, volume=10**6)) == [
        ("order_ack", 1100, 0, 0, 0),
        ("fill", 1100, 1820, 18_200_000, 0),
    ]


def test_a_quote_fills_a_lot_and_a_quote_of_the_other_side_none() -> None:
    quote = tick(1100, 0, volume=0, bid=9_990)._replace(kind=codes.QUOTE)
    assert played(bought(), quote, quote._replace(ask=10_010)) == [ACKNOWLEDGED, ("fill", 1100, 65, 650_650, 0)]


def test_nothing_fills_on_what_is_no_tick_of_the_instrument() -> None:
    venue = limit_venue(instruments=2)
    venue.submit(0, 7, codes.BUY, 130, 10_000, 0, AT)
    refused = tick(1100, -1, ask=10_000)
    without_volume = tick(1100, 10_000, volume=-1)
    mark = tick(1100, 10_000)._replace(kind=codes.OPERATOR)
    assert played(venue, refused, without_volume, mark, tick(1100, 10_000, who=1), timer(1100)) == [ACKNOWLEDGED]


def test_time_passes_for_all_instruments_and_what_was_earlier_is_told_first() -> None:
    venue = limit_venue(instruments=3)
    for who, sent in ((2, 20), (0, 30), (1, 10)):
        venue.submit(who, who + 1, codes.BUY, 65, 10_000, 0, AT + sent * MS)
    assert venue.next_ns == ARRIVES + 10 * MS
    told = venue.answers(ARRIVES + 25 * MS)
    assert [(event.instrument, event.order_id, event.kind) for event in told] == [
        (1, 2, codes.ORDER_ACK),
        (2, 3, codes.ORDER_ACK),
    ]
    assert venue.next_ns == ARRIVES + 30 * MS
    assert [event.instrument for event in venue.answers(NEVER)] == [0]
    assert (venue.busy, venue.next_ns) == (True, NEVER)


def test_asking_before_anything_is_due_changes_nothing() -> None:
    venue = bought()
    before = venue.snapshot()
    assert venue.answers(ARRIVES - 1) == []
    assert venue.snapshot() == before


def test_jitter_is_repeated_by_its_seed_and_stays_below_its_most() -> None:
    def arrivals(seed: int) -> list[int]:
        venue = Venue(2, RULES._replace(jitter_ns=120 * MS), seed)
        venue.prepare(0, CONTRACT)
        found = []
        for order_id in range(1, 30):
            venue.submit(0, order_id, codes.BUY, 65, 10_000, 0, AT)
            found.append(venue.next_ns - ARRIVES)
            venue.answers(NEVER)
        return found

    assert arrivals(1) == arrivals(1)
    assert arrivals(1) != arrivals(2)
    assert 0 <= min(arrivals(1)) < 20 * MS
    assert 100 * MS < max(arrivals(1)) <= 120 * MS


def test_orders_that_cannot_be_are_refused_and_change_nothing() -> None:
    venue = bought()
    before = venue.snapshot()
    with pytest.raises(ValueError, match="order 7 of instrument 0: its id is that of an order here"):
        venue.submit(0, 7, codes.BUY, 65, 10_000, 0, AT)
    with pytest.raises(IndexError, match="instrument 1 of 1"):
        venue.submit(1, 8, codes.BUY, 65, 10_000, 0, AT)
    for side, quantity, price, trigger in ((0, 65, 100, 0), (codes.BUY, 0, 100, 0), (-1, 65, 0, 0), (-1, 65, 1, -1)):
        with pytest.raises(ValueError, match="not an order: id 8"):
            venue.submit(0, 8, side, quantity, price, trigger, AT)
    with pytest.raises(ValueError, match="order 8 can't be changed or cancelled: it is not known here"):
        venue.cancel(8, AT)
    with pytest.raises(ValueError, match="order 8 can't be changed or cancelled: it is not known here"):
        venue.modify(8, 10_000, 0, AT)
    for price, trigger in ((0, 0), (100, 90), (100, -1)):
        with pytest.raises(ValueError, match="order 7 can't have price"):
            venue.modify(7, price, trigger, AT)
    assert venue.snapshot() == before


def test_a_contract_is_needed_and_checked() -> None:
    venue = Venue(1, RULES, seed=1)
    with pytest.raises(ValueError, match="its contract was not prepared"):
        venue.submit(0, 7, codes.BUY, 65, 10_000, 0, AT)
    with pytest.raises(ValueError, match="without lot or tick size"):
        venue.prepare(0, CONTRACT._replace(lot_size=0))


def test_where_orders_fill_at_once_none_waits_and_nothing_is_changed() -> None:
    venue = limit_venue(rules=RULES._replace(model=AT_ONCE))
    with pytest.raises(ValueError, match="order 7 of instrument 0: a stop order, where orders fill at once"):
        venue.submit(0, 7, codes.SELL, 65, 9_000, 9_000, AT)
    venue.submit(0, 7, codes.BUY, 65, 10_000, 0, AT)
    venue.cancel(7, AT + 1)
    venue.modify(7, 10_000, 0, AT - 1)
    refused = ("change_reject", 1000, 65, 650_000, HAS_ENDED)
    assert played(venue, timer(1001)) == [("fill", 1000, 65, 650_000, 0), refused, refused]
    assert not venue.busy


def test_answers_come_in_order_however_many_there_were() -> None:
    venue = Venue(1, RULES._replace(model=AT_ONCE), seed=1)
    for order_id in range(1, 200):
        venue.submit(0, order_id, codes.BUY, 65, 10_000, 0, AT)
        if order_id % 2 == 0:
            assert [told.order_id for told in venue.answers(AT)] == [order_id - 1, order_id]


def test_an_exchange_in_use_takes_up_a_snapshot() -> None:
    venue = bought()
    venue.see(tick(1100, 10_000))
    state = venue.snapshot()
    used = limit_venue()
    used.submit(0, 1, codes.SELL, 65, 10_000, 0, AT)
    used.restore(state)
    assert (used.busy, used.next_ns, used.snapshot()) == (True, venue.next_ns, state)
    assert used.answers(NEVER) == venue.answers(NEVER)


def test_answers_that_nobody_takes_are_bounded() -> None:
    venue = Venue(1, RULES._replace(model=AT_ONCE), seed=1)
    for order_id in range(1, 1 + WAITING_MAX + WAITING_MAX_EACH):
        venue.submit(0, order_id, codes.BUY, 65, 10_000, 0, AT)
    with pytest.raises(OverflowError, match="68 answers of the simulated exchange wait"):
        venue.submit(0, 1000, codes.BUY, 65, 10_000, 0, AT)


def test_orders_are_bounded_and_those_that_have_ended_are_forgotten_first() -> None:
    venue = limit_venue()
    for order_id in range(1, 1 + ORDERS_MAX_EACH):
        venue.submit(0, order_id, codes.BUY, 65, 10_000, 0, AT + order_id)
    with pytest.raises(OverflowError, match="order 17: the simulated exchange takes no more than 16"):
        venue.submit(0, 17, codes.BUY, 65, 10_000, 0, AT)
    for order_id in (3, 4):
        venue.cancel(order_id, AT + 20)
    venue.answers(ARRIVES + 50 * MS)
    venue.cancel(3, AT + 100 * MS)  # of one that has ended: its answer is still under way
    venue.submit(0, 17, codes.BUY, 65, 10_000, 0, AT + 100 * MS)
    with pytest.raises(ValueError, match="order 4 can't be changed"):
        venue.cancel(4, AT + 100 * MS)
    venue.cancel(3, AT + 101 * MS)
    venue.cancel(5, AT + 101 * MS)
    assert [(told.order_id, told.kind) for told in venue.answers(NEVER)] == [
        (3, codes.CHANGE_REJECT),
        (17, codes.ORDER_ACK),
        (3, codes.CHANGE_REJECT),
        (5, codes.CANCELLED),
    ]


def test_requests_under_way_are_bounded() -> None:
    venue = bought()
    for _ in range(REQUESTS_MAX_EACH - 1):
        venue.modify(7, 10_000, 0, AT)
    with pytest.raises(OverflowError, match="order 7: 32 requests are under way, the simulated exchange's most"):
        venue.cancel(7, AT)


@jitted
def fill_at_once(order: Order, tape: Tape, rules: Rules, event: Event) -> Event:
    return instant.fill_at_once(order, tape, rules, event)


@jitted
def expected_price(side: int, tape: Tape, rules: Rules) -> int:
    return pricing.buy_price(tape, rules) if side == codes.BUY else pricing.sell_price(tape, rules)


NO_RULES = Rules._make([0] * len(Rules._fields))


@settings(max_examples=200, deadline=None)
@given(
    side=st.sampled_from([codes.BUY, codes.SELL]),
    model=st.sampled_from([codes.FILL_AT_LTP, codes.FILL_AT_QUOTE]),
    prices=st.tuples(*[st.integers(1, 10**6)] * 3),
    slippage=st.integers(0, 100),
    quantity=st.integers(1, 10**5),
    order_id=st.integers(1, 10**6),
)
def test_at_once_is_the_fill_of_the_instant_exchange(
    side: int, model: int, prices: tuple[int, int, int], slippage: int, quantity: int, order_id: int
) -> None:
    last, bid, ask = prices
    tape = Tape(AT, last, bid, ask, 60, 3, NEVER, NEVER)
    rules = NO_RULES._replace(fill_model=model, slippage=slippage)
    price = expected_price(side, tape, rules)
    venue = Venue(4, RULES._replace(model=AT_ONCE), seed=1)
    venue.submit(3, order_id, side, quantity, price, 0, AT)
    assert venue.busy
    order = NO_ORDER._replace(id=order_id, side=side, quantity=quantity)
    assert venue.answer() == fill_at_once(order, tape, rules, BLANK._replace(kind=codes.TICK, instrument=3))
    assert venue.answer() is None
    assert not venue.busy
