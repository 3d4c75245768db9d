"""Stop orders at the simulated exchange, changes of orders, and several orders of one instrument."""

import pytest

from exchange.venue_play import (
    ACKNOWLEDGED,
    AT,
    CONTRACT,
    MS,
    RULES,
    bought,
    limit_venue,
    played,
    protected,
    tick,
    timer,
    told_of,
)
from myquant.core import codes
from myquant.core.money import RATE_SCALE
from myquant.core.records import NEVER
from myquant.exchange.venue_orders import ASKED_FOR, BEYOND_PRICE_BAND, HAS_ENDED


def test_a_stop_order_waits_until_a_trade_reaches_its_trigger() -> None:
    venue = protected(65)
    quote = tick(1200, 0, volume=0, bid=8_990, ask=8_995)._replace(kind=codes.QUOTE)
    above = tick(1100, 9_005, bid=8_950, ask=9_010)  # whoever sold at 8950 did it without it
    assert played(venue, above, quote, timer(10**6)) == [ACKNOWLEDGED]
    assert (venue.busy, venue.next_ns) == (True, NEVER)


def test_it_fills_from_the_look_after_the_one_that_triggered_it() -> None:
    found = played(protected(), tick(1100, 9_000, volume=10**6), tick(1100, 8_950), tick(1200, 9_050))
    assert found == [ACKNOWLEDGED, ("fill", 1100, 65, 581_750, 0), ("fill", 1200, 130, 1_170_000, 0)]


def test_a_gap_below_its_limit_leaves_it_unfilled_until_it_is_changed() -> None:
    venue = protected(65)
    assert played(venue, tick(1100, 8_500), tick(1200, 8_500)) == [ACKNOWLEDGED]
    venue.modify(7, 8_500, 9_000, 1200 * MS)
    assert played(venue, tick(1249, 8_500), tick(1250, 8_400)) == [
        ("modified", 1250, 0, 0, 0),
        ("fill", 1250, 65, 546_000, 0),
    ]


def test_a_trade_on_its_way_does_not_trigger_it() -> None:
    assert played(protected(65), tick(1049, 8_900), tick(1100, 9_100), tick(1200, 8_990)) == [ACKNOWLEDGED]


def test_one_whose_trigger_was_passed_on_its_way_is_triggered_by_the_next_trade() -> None:
    found = played(protected(65), tick(1040, 8_990), tick(1100, 8_990), tick(1200, 8_990))
    assert found == [ACKNOWLEDGED, ("fill", 1200, 65, 584_350, 0)]


def test_a_stop_order_to_buy_waits_for_a_higher_price() -> None:
    venue = limit_venue()
    venue.submit(0, 7, codes.BUY, 65, 11_000, 11_000, AT)
    found = played(venue, tick(1100, 10_995), tick(1200, 11_000), tick(1300, 11_100))
    assert found == [ACKNOWLEDGED, ("fill", 1300, 65, 721_500, 0)]


def test_a_stop_order_follows_its_changes() -> None:
    venue = protected(65)
    played(venue, tick(1100, 10_000))
    venue.modify(7, 9_500, 9_500, 1100 * MS)
    assert played(venue, tick(1149, 9_400), tick(1150, 9_505)) == [("modified", 1150, 0, 0, 0)]
    assert played(venue, tick(1200, 9_500), tick(1300, 9_310)) == [("fill", 1300, 65, 605_150, 0)]


def test_a_stop_order_is_cancelled_before_it_is_triggered_or_not_at_all() -> None:
    venue = protected(65)
    venue.cancel(7, 1100 * MS)
    assert played(venue, tick(1150, 9_000)) == [ACKNOWLEDGED, ("cancelled", 1150, 0, 0, ASKED_FOR)]
    venue = protected(65)
    venue.cancel(7, 1100 * MS)
    assert played(venue, tick(1148, 9_000), tick(1149, 9_000), timer(2000)) == [
        ACKNOWLEDGED,
        ("fill", 1149, 65, 585_000, 0),
        ("change_reject", 1150, 65, 585_000, HAS_ENDED),
    ]


def test_a_triggered_stop_order_can_be_cancelled_still() -> None:
    venue = protected(130)
    found = played(venue, tick(1100, 9_000), tick(1101, 9_000))
    assert found == [ACKNOWLEDGED, ("fill", 1101, 65, 585_000, 0)]
    venue.cancel(7, 1110 * MS)
    assert played(venue, timer(1160)) == [("cancelled", 1160, 65, 585_000, ASKED_FOR)]


def test_a_stop_order_meets_the_price_band_when_it_is_triggered() -> None:
    venue = protected(65, CONTRACT._replace(low_price=8_825))  # its limit is 8820
    venue.modify(7, 8_990, 8_990, 1100 * MS)
    assert played(venue, tick(1200, 9_000)) == [ACKNOWLEDGED, ("modified", 1150, 0, 0, 0)]
    assert played(venue, tick(1300, 8_990), tick(1400, 8_990)) == [("cancelled", 1300, 0, 0, BEYOND_PRICE_BAND)]
    assert not venue.busy


@pytest.mark.parametrize(("price", "limit"), [(10_100, 10_300), (9_900, 10_095)])
def test_a_change_of_a_working_order_counts_from_its_arrival(price: int, limit: int) -> None:
    venue = bought(130)
    played(venue, tick(1100, 10_000))
    venue.modify(7, price, 0, 1100 * MS)
    fill = ("fill", 1150, 130, 650_000 + 65 * limit, 0)
    assert played(venue, tick(1149, 10_205), tick(1150, limit)) == [("modified", 1150, 65, 650_000, 0), fill]


def test_a_change_beyond_the_price_band_is_refused_and_the_order_stays_as_it_was() -> None:
    venue = bought(65, CONTRACT._replace(high_price=10_200))
    venue.modify(7, 10_100, 0, 1100 * MS)
    found = played(venue, tick(1150, 10_300), tick(1200, 10_200))
    refused = ("change_reject", 1150, 0, 0, BEYOND_PRICE_BAND)
    assert found == [ACKNOWLEDGED, refused, ("fill", 1200, 65, 663_000, 0)]


def test_a_change_of_what_ends_meanwhile_is_refused() -> None:
    venue = bought(65)
    venue.modify(7, 10_100, 0, 1090 * MS)
    late = ("change_reject", 1140, 65, 650_000, HAS_ENDED)
    assert played(venue, tick(1100, 10_000), timer(1140)) == [ACKNOWLEDGED, ("fill", 1100, 65, 650_000, 0), late]


def test_requests_about_one_order_overtake_neither_it_nor_each_other() -> None:
    venue = bought(1820)  # two slices: it arrives at 1100
    venue.modify(7, 10_100, 0, AT - 90 * MS)
    venue.cancel(7, AT - 95 * MS)
    assert played(venue, timer(1099)) == []
    assert [name for name, *_ in played(venue, timer(1100))] == ["order_ack", "modified", "cancelled"]


def test_several_orders_of_one_instrument_fill_by_their_own_limits() -> None:
    venue = limit_venue()
    venue.submit(0, 1, codes.SELL, 65, 10_000, 0, AT)
    venue.submit(0, 2, codes.SELL, 130, 9_000, 9_000, AT)
    venue.submit(0, 3, codes.BUY, 65, 9_000, 0, AT)
    told = told_of(venue, tick(1100, 9_000), tick(1200, 9_000, volume=10**6), tick(1300, 9_900))
    found = [(event.order_id, codes.EVENT_NAMES[event.kind], event.time_ns // MS) for event in told[3:]]
    assert found == [(3, "fill", 1100), (2, "fill", 1200), (1, "fill", 1300)]
    assert not venue.busy


def test_several_orders_are_restored_as_they_were() -> None:
    venue = limit_venue(rules=RULES._replace(jitter_ns=40 * MS), instruments=2)
    venue.submit(1, 1, codes.SELL, 65, 10_000, 0, AT)
    venue.submit(0, 2, codes.SELL, 130, 9_000, 9_000, AT)
    venue.submit(1, 3, codes.SELL, 130, 9_000, 9_000, AT)
    venue.see(timer(1100))
    venue.modify(2, 9_100, 9_100, 1100 * MS)
    venue.cancel(1, 1100 * MS)
    other = limit_venue(rules=RULES._replace(jitter_ns=40 * MS), instruments=2)
    other.restore(venue.snapshot())
    rest = [tick(ms, price, who=who) for ms, price in ((1150, 9_000), (1200, 9_050), (1300, 9_000)) for who in (0, 1)]
    assert told_of(venue, *rest) == told_of(other, *rest)
    assert venue.snapshot() == other.snapshot()


def test_the_share_of_a_print_is_that_of_each_order() -> None:
    rules = RULES._replace(participation_rate=RATE_SCALE // 5)
    venue = limit_venue(rules=rules)
    for order_id in (1, 2):
        venue.submit(0, order_id, codes.SELL, 650, 10_000, 0, AT)
    told = told_of(venue, timer(1050), tick(1100, 10_000, volume=650))
    assert [event.quantity for event in told[2:]] == [130, 130]
