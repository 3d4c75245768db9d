"""What a look at the books finds, as tables of looks."""

from functools import partial

import hypothesis.strategies as st
import pytest
from hypothesis import given

from myquant.brokers.port import Books, order_tag
from myquant.core import codes, orders
from myquant.session.lost_orders import is_tag_of_ours
from myquant.session.reconciliation import (
    FIRST,
    Finding,
    Kind,
    Memory,
    OurOrder,
    Ours,
    Settings,
    reconcile,
    sale_value,
)
from session.broker_books import CASH, KEY, PRODUCT, SECOND_NS, TOKENS, books, fill, in_book

SETTLE_S = 35
SETTINGS = Settings(KEY, PRODUCT, SETTLE_S * SECOND_NS, 0)
BUY, SELL = codes.BUY, codes.SELL
BOUGHT = in_book(1, BUY, 150, 150)
BOUGHT_FILL = fill("B1.0", BUY, 150, 10_000)


def ours(held: int = 0, *working: OurOrder, last_price: int = 10_000) -> tuple[Ours, ...]:
    return Ours(TOKENS[0], held, last_price, working), Ours(TOKENS[1], 0, last_price, ())


class Day:
    """Looks in a row."""

    def __init__(self, memory: Memory = FIRST, settings: Settings = SETTINGS) -> None:
        self.memory, self.settings, self.unconfirmed = memory, settings, False

    def look(self, at: Books, view: tuple[Ours, ...]) -> list[Finding]:
        """Return what a look found beside the funds."""
        outcome = reconcile(at, view, self.memory, self.settings)
        self.memory, self.unconfirmed = outcome.memory, outcome.unconfirmed
        assert outcome.findings[0].kind == Kind.FUNDS
        return list(outcome.findings[1:])


def begun(held: int = 0) -> Day:
    """Return a day whose first look found `held` units of others in the first instrument."""
    day = Day()
    day.look(books(0, held={TOKENS[0]: held}), ours())
    return day


def kinds(found: list[Finding]) -> list[tuple[Kind, int, int]]:
    return [(each.kind, each.instrument, each.quantity) for each in found]


def test_what_was_there_before_is_told_once_and_is_nobodys_business() -> None:
    first = reconcile(books(5, held={TOKENS[0]: 300}), ours(), FIRST, SETTINGS)
    assert kinds([each for each in first.findings if each.kind != Kind.FUNDS]) == [(Kind.FOREIGN_TRADE, 0, 300)]
    day = begun(300)
    assert day.look(books(15, held={TOKENS[0]: 300}), ours()) == []
    assert not day.unconfirmed


def test_our_own_fills_are_not_foreign() -> None:
    day = begun(75)
    at = partial(books, fills=[BOUGHT_FILL], held={TOKENS[0]: 225})
    for second in (15, 30, 90):
        assert day.look(at(second, BOUGHT), ours(150)) == []
        assert not day.unconfirmed


def test_a_torn_look_is_no_finding() -> None:
    """A fill of ours is in the positions, and not yet in the orders that were read before them."""
    day = begun()
    torn = books(1, in_book(1, BUY, 150), fills=[BOUGHT_FILL], held={TOKENS[0]: 150})
    assert day.look(torn, ours(0)) == []
    assert day.unconfirmed
    assert day.look(books(3, BOUGHT, fills=[BOUGHT_FILL], held={TOKENS[0]: 150}), ours(150)) == []
    assert not day.unconfirmed


def test_an_order_that_the_order_book_shows_late_is_not_foreign() -> None:
    day = begun()
    torn = books(1, fills=[BOUGHT_FILL], held={TOKENS[0]: 150})
    assert day.look(torn, ours(0)) == []
    assert day.look(books(3, BOUGHT, fills=[BOUGHT_FILL], held={TOKENS[0]: 150}), ours(150)) == []
    assert not day.unconfirmed


def held_150() -> Day:
    day = begun()
    assert day.look(books(5, BOUGHT, fills=[BOUGHT_FILL], held={TOKENS[0]: 150}), ours(150)) == []
    return day


def test_a_manual_sale_is_taken_out_of_our_position_at_the_second_look() -> None:
    day = held_150()
    fills = [BOUGHT_FILL, fill("M1", SELL, 75, 10_450)]
    after = partial(books, fills=fills, held={TOKENS[0]: 75})
    assert day.look(after(15, BOUGHT), ours(150)) == []
    found = day.look(after(17, BOUGHT), ours(150))
    assert found == [Finding(Kind.FOREIGN_SALE, 0, TOKENS[0], quantity=75, value=75 * 10_450)]
    assert day.look(after(19, BOUGHT), ours(75)) == []
    assert not day.unconfirmed


def test_more_than_we_hold_was_sold() -> None:
    day = held_150()
    fills = [BOUGHT_FILL, fill("M1", SELL, 225, 10_400)]
    after = partial(books, fills=fills, held={TOKENS[0]: -75})
    day.look(after(15, BOUGHT), ours(150))
    found = day.look(after(17, BOUGHT), ours(150))
    assert kinds(found) == [(Kind.FOREIGN_SALE, 0, 150), (Kind.FOREIGN_TRADE, 0, -75)]
    assert found[0].value == 150 * 10_400
    assert day.look(after(19, BOUGHT), ours(0)) == []


def test_a_sale_of_somebody_who_held_units_of_his_own_is_of_those_first() -> None:
    day = begun(75)
    day.look(books(5, BOUGHT, fills=[BOUGHT_FILL], held={TOKENS[0]: 225}), ours(150))
    after = partial(books, fills=[BOUGHT_FILL, fill("M1", SELL, 150, 10_400)], held={TOKENS[0]: 75})
    day.look(after(15, BOUGHT), ours(150))
    found = day.look(after(17, BOUGHT), ours(150))
    assert kinds(found) == [(Kind.FOREIGN_SALE, 0, 75), (Kind.FOREIGN_TRADE, 0, -75)]
    assert day.look(after(19, BOUGHT), ours(75)) == []


def test_a_manual_purchase_is_reported_and_is_not_ours() -> None:
    day = held_150()
    after = partial(books, fills=[BOUGHT_FILL, fill("M1", BUY, 75, 10_450)], held={TOKENS[0]: 225})
    day.look(after(15, BOUGHT), ours(150))
    found = day.look(after(17, BOUGHT), ours(150))
    assert kinds(found) == [(Kind.FOREIGN_TRADE, 0, 75)]
    assert found[0].words == "buy 75 at 104.50 (order M1)"
    assert day.look(after(19, BOUGHT), ours(150)) == []


def test_a_purchase_and_a_sale_between_two_looks_are_reported() -> None:
    day = held_150()
    fills = [BOUGHT_FILL, fill("M1", BUY, 75, 10_450), fill("M2", SELL, 75, 10_460)]
    after = partial(books, fills=fills, held={TOKENS[0]: 150})
    day.look(after(15, BOUGHT), ours(150))
    assert kinds(day.look(after(17, BOUGHT), ours(150))) == [(Kind.FOREIGN_TRADE, 0, 0)]
    assert day.look(after(19, BOUGHT), ours(150)) == []


def test_a_trade_in_another_instrument_or_product_is_reported() -> None:
    day = held_150()
    elsewhere, shares, sale = "999", {("999", "DELIVERY"): 10}, {(TOKENS[0], "DELIVERY"): -75}
    fills = [BOUGHT_FILL, fill("M1", BUY, 10, 500)._replace(token=elsewhere), fill("M2", SELL, 75, 500)]
    for traded, products, change in ((fills[:2], shares, 10), (fills, shares | sale, -75)):
        at = partial(books, fills=traded, held={TOKENS[0]: 150}, products=products)
        assert day.look(at(15, BOUGHT), ours(150)) == []
        assert kinds(day.look(at(17, BOUGHT), ours(150))) == [(Kind.FOREIGN_TRADE, -1, change)]
        assert day.look(at(19, BOUGHT), ours(150)) == []


def test_a_change_that_the_trade_book_does_not_explain_waits_for_the_settle_time() -> None:
    day = held_150()
    after = partial(books, fills=[BOUGHT_FILL], held={TOKENS[0]: 75})
    for second in (15, 17, 15 + SETTLE_S - 1):
        assert day.look(after(second, BOUGHT), ours(150)) == []
        assert day.unconfirmed
    found = day.look(after(15 + SETTLE_S, BOUGHT), ours(150, last_price=9_000))
    assert found == [Finding(Kind.FOREIGN_SALE, 0, TOKENS[0], quantity=75, value=75 * 9_000)]


def test_a_sale_that_was_booked_before_a_crash_is_not_booked_again() -> None:
    """The engine's journal has it; what is known of others is older."""
    day = held_150()
    after = partial(books, fills=[BOUGHT_FILL, fill("M1", SELL, 75, 10_450)], held={TOKENS[0]: 75})
    again = Day(FIRST._replace(known=day.memory.known, fills=day.memory.fills))
    for second in (15, 17, 19, 90):
        assert again.look(after(second, BOUGHT), ours(75)) == []
    assert not again.unconfirmed


def test_a_sale_while_no_session_ran_is_found_at_the_start() -> None:
    day = held_150()
    after = partial(books, fills=[BOUGHT_FILL, fill("M1", SELL, 150, 10_450)], held={})
    again = Day(FIRST._replace(known=day.memory.known, fills=day.memory.fills))
    assert again.look(after(15, BOUGHT), ours(150)) == []
    assert again.unconfirmed
    found = again.look(after(17, BOUGHT), ours(150))
    assert kinds(found) == [(Kind.FOREIGN_SALE, 0, 150)]


@pytest.mark.parametrize(("filled", "held"), [(0, 150), (150, 0)])
def test_a_position_that_only_one_side_has_counts_after_the_settle_time(filled: int, held: int) -> None:
    day = begun()
    sent = in_book(1, BUY, 150, filled, state=None if filled else orders.CANCELLED)
    at = partial(books, fills=[BOUGHT_FILL] if filled else [], held={TOKENS[0]: filled})
    for second in (5, 7, 5 + SETTLE_S - 1):
        assert day.look(at(second, sent), ours(held)) == []
    found = day.look(at(5 + SETTLE_S, sent), ours(held))
    gone = held - filled
    assert kinds(found) == [(Kind.FOREIGN_SALE, 0, gone) if gone > 0 else (Kind.POSITION_DIFFERS, 0, -gone)]
    assert day.look(at(7 + SETTLE_S, sent), ours(held)) == []
    assert not day.unconfirmed


def test_funds() -> None:
    day = Day(settings=SETTINGS._replace(min_funds=CASH))
    outcome = reconcile(books(0, net=CASH - 1), ours(), FIRST, day.settings)
    assert outcome.findings[0] == Finding(Kind.FUNDS, value=CASH - 1)
    assert day.look(books(0), ours()) == []
    assert day.look(books(15, net=CASH - 1), ours()) == [Finding(Kind.LOW_FUNDS, value=CASH - 1)]
    assert day.look(books(30, net=-5), ours()) == [Finding(Kind.LOW_FUNDS, value=-5, is_new=False)]
    assert day.look(books(45), ours()) == []
    assert day.look(books(60, net=0), ours()) == [Finding(Kind.LOW_FUNDS)]


ORPHANS = {
    "of this session": in_book(7, SELL, 75),
    "in small letters": in_book(7, SELL, 75, tag=order_tag(KEY, 7, 0).lower()),
}


@pytest.mark.parametrize("name", ORPHANS)
def test_an_orphan_is_cancelled_at_the_second_look_and_again_till_it_is_gone(name: str) -> None:
    day = begun()
    assert day.look(books(15, ORPHANS[name]), ours()) == []
    assert day.unconfirmed
    first = day.look(books(17, ORPHANS[name]), ours())
    assert [(each.kind, each.broker_id, each.is_new) for each in first] == [(Kind.ORPHAN, "B7.0", True)]
    again = day.look(books(32, ORPHANS[name]), ours())
    assert [(each.kind, each.broker_id, each.is_new) for each in again] == [(Kind.ORPHAN, "B7.0", False)]
    assert day.look(books(47, ORPHANS[name]._replace(state=orders.CANCELLED)), ours()) == []


def test_an_order_that_ended_after_the_book_was_read_is_no_orphan() -> None:
    day = begun()
    assert day.look(books(15, in_book(7, SELL, 75)), ours()) == []
    assert day.look(books(17, in_book(7, SELL, 75, state=orders.CANCELLED)), ours()) == []
    assert not day.unconfirmed


@pytest.mark.parametrize(
    "tag",
    [order_tag(KEY + 1, 7, 0), "", "phone", "THIS1IS2ANOTHER3APP", "ZZZZZZZZZZZZZ0001A0", "too-long-for-a-tag-of-ours"],
)
def test_an_order_of_somebody_else_is_told_once(tag: str) -> None:
    day = begun()
    order = in_book(7, SELL, 75, tag=tag)
    assert kinds(day.look(books(15, order), ours())) == [(Kind.STRANGE_ORDER, 0, -75)]
    assert day.look(books(30, order), ours()) == []


def working(quantity: int = 75, *, unanswered: bool = False, changing: bool = False) -> OurOrder:
    prices = frozenset({(9_000, 9_200), (9_100, 9_300)})
    return OurOrder(3, quantity, prices, is_unanswered=unanswered, is_changing=changing)


DIFFERENT = {
    "limit": in_book(3, SELL, 75, price=8_000, trigger=9_200),
    "trigger": in_book(3, SELL, 75, price=9_000, trigger=9_300),
    "more units": in_book(3, SELL, 150, price=9_000, trigger=9_200),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_an_order_that_somebody_changed_is_found_at_the_second_look(name: str) -> None:
    day = held_150()
    at = partial(books, fills=[BOUGHT_FILL], held={TOKENS[0]: 150})
    assert day.look(at(15, BOUGHT, DIFFERENT[name]), ours(150, working())) == []
    found = day.look(at(17, BOUGHT, DIFFERENT[name]), ours(150, working()))
    assert [(each.kind, each.order_id) for each in found] == [(Kind.ORDER_DIFFERS, 3)]
    assert day.look(at(19, BOUGHT, DIFFERENT[name]), ours(150, working())) == []


SAME = {
    "as it is": (in_book(3, SELL, 75, price=9_000, trigger=9_200), working()),
    "as it was asked to be": (in_book(3, SELL, 75, price=9_100, trigger=9_300), working()),
    "triggered": (in_book(3, SELL, 75, price=9_100), working()),
    "changing": (in_book(3, SELL, 75, price=1), working(changing=True)),
    "without an answer": (in_book(3, SELL, 75, price=1), working(unanswered=True)),
    "ended": (in_book(3, SELL, 75, price=1, state=orders.CANCELLED), working()),
}


@pytest.mark.parametrize("name", SAME)
def test_an_order_as_we_have_it_is_no_finding(name: str) -> None:
    order, mine = SAME[name]
    day = begun()
    for second in (15, 17, 99):
        assert day.look(books(second, order), ours(0, mine)) == []
        assert not day.unconfirmed


def test_slices_that_wait_for_their_turn_are_missing_for_a_while() -> None:
    day = begun()
    order = in_book(3, SELL, 75, price=9_000, trigger=9_200)
    for second in (15, 17, 15 + SETTLE_S - 1):
        assert day.look(books(second, order), ours(0, working(150))) == []
    found = day.look(books(15 + SETTLE_S, order), ours(0, working(150)))
    assert [(each.kind, each.words) for each in found] == [(Kind.ORDER_DIFFERS, "75 units missing")]


@given(st.integers(0, 2**63 - 1), st.integers(1, 36**4 - 1), st.integers(0, 36**2 - 1))
def test_every_tag_of_ours_is_known_as_one(key: int, order_id: int, part: int) -> None:
    assert is_tag_of_ours(order_tag(key, order_id, part))


SALES = st.lists(st.tuples(st.integers(1, 500), st.integers(1, 100_000)), max_size=5)


@given(SALES, st.integers(1, 2000), st.integers(1, 100_000))
def test_a_sale_brings_between_its_lowest_and_its_highest_price(
    sales: list[tuple[int, int]], units: int, last_price: int
) -> None:
    fills = [fill("M", SELL, quantity, price) for quantity, price in sales]
    prices = [price for _, price in sales]
    sold = sum(quantity for quantity, _ in sales)
    if units > sold:
        prices.append(last_price)
    value = sale_value(fills, units, last_price)
    assert units * min(prices) <= value <= units * max(prices)
    if units == sold:
        assert value == sum(quantity * price for quantity, price in sales)


STEP = st.tuples(
    st.sampled_from(["own", "foreign", "quiet"]),
    st.sampled_from([BUY, SELL]),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(STEP, max_size=30), st.integers(-300, 300))
def test_law_the_engine_follows_what_others_sell_and_nothing_of_ours_looks_foreign(
    steps: list[tuple[str, int, int, bool, bool]], before: int
) -> None:
    """Own and foreign trades in any order; looks are torn by own fills, and each trade gets two looks in the end.

    Whatever others do, the engine's position and theirs add up to the broker's; without them nothing is ever found.
    """
    day, second = begun(before), 1.0
    held, mine, net = 0, 0, before  # by the engine, by the book of orders, at the broker
    parts: list[int] = []
    fills = []
    others_traded = False
    for number, (who, side, lots, is_torn, is_late) in enumerate(steps):
        units = 75 * lots
        own_before = list(parts)
        if who == "own":
            change = units if held == 0 else -min(units, held)
            parts = [*parts, change]
            mine, net = mine + change, net + change
            own_side = BUY if change > 0 else SELL
            fills.append(fill(f"B{len(parts)}.0", own_side, abs(change), 10_000, fill_id=str(number)))
        elif who == "foreign":
            others_traded = True
            net += side * units
            fills.append(fill(f"M{number}", side, units, 10_000, fill_id=str(number)))

        def look(shown: list[int], at_s: float, has: int, net: int = net) -> list[Finding]:
            rows = [in_book(i + 1, BUY if p > 0 else SELL, abs(p), abs(p)) for i, p in enumerate(shown)]
            return day.look(books(at_s, *rows, fills=fills, held={TOKENS[0]: net}), ours(has))

        if who == "own" and is_torn:
            assert look(own_before, second, held) == []
            second += 2
        held += parts[-1] if who == "own" else 0
        for _ in range(3 if is_late else 2):
            for found in look(parts, second, held):
                assert others_traded
                assert found.kind in (Kind.FOREIGN_SALE, Kind.FOREIGN_TRADE)
                if found.kind == Kind.FOREIGN_SALE:
                    assert 0 < found.quantity <= held - max(0, net)
                    held -= found.quantity
                    assert net - held <= 0, "their own units go first"
            second += 2
        assert not day.unconfirmed
        assert day.memory.known is not None
        assert day.memory.known[TOKENS[0], PRODUCT].others + held == net
        assert day.memory.known[TOKENS[0], PRODUCT].foreign + mine == net
        assert held >= 0
