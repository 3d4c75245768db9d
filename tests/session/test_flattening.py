"""Flat at a broker: whatever is lost, late or refused, never more is sold than is held, and only the books say flat."""

import asyncio
from random import Random

import pytest

from myquant.brokers.port import NewOrder, OpenOrder, order_tag
from myquant.config.loading import load_config
from myquant.core import codes
from myquant.errors import BrokerError
from myquant.session.flattening import (
    Flattening,
    Scope,
    Times,
    has_our_form,
    left_alone,
    open_positions,
    slices,
    working_orders,
)
from myquant.session.simulated import venue_rules
from session.flattening_market import KEY, LOT, OURS, SYMBOL, TOKEN, LostError, Market, RefusedError, now_ns, run

TIMES = Times(look_s=1.0, reprice_s=2.0, settle_s=35.0)
OTHER, THIRD, FOURTH = "50001", "70001", "80001"


def flattening(market: Market, scope: Scope, times: Times = TIMES) -> Flattening:
    rules = venue_rules(load_config().config)
    return Flattening(market, market, scope, times, rules, key=KEY, monotonic_ns=now_ns, tell=market.told.append)


def flatten(
    market: Market, scope: Scope | None = None, *, wait: bool = True, times: Times = TIMES
) -> tuple[bool, float]:
    """Return whether it is flat, and the seconds it took."""

    async def measured() -> tuple[bool, float]:
        flat = await flattening(market, scope or Scope(OURS), times).run(wait_for_late=wait)
        return flat, asyncio.get_running_loop().time()

    return run(measured())


def fill_later(market: Market) -> None:
    asyncio.get_running_loop().call_later(1.8, market.fill, "B1", 75)


def test_an_account_without_anything_is_flat_after_the_wait() -> None:
    market = Market({})
    flat, took_s = flatten(market)
    assert flat
    assert 35 < took_s < 40
    assert market.told == ["flat; looking for late orders for 35 s more"]
    assert flatten(Market({}), wait=False)[1] < 2


@pytest.mark.parametrize(("quantity", "side", "limit"), [(150, codes.SELL, 9_800), (-150, codes.BUY, 10_200)])
def test_a_position_is_closed_at_a_limit_beyond_the_last_price(quantity: int, side: int, limit: int) -> None:
    market = Market({TOKEN: quantity})
    assert flatten(market)[0]
    assert [(each.side, each.quantity, each.limit, each.is_exit) for each in market.placed] == [
        (side, 150, limit, True)
    ]
    assert market.positions == {TOKEN: 0}


def test_what_works_is_cancelled_before_anything_is_sold() -> None:
    market = Market({TOKEN: 150})
    resting = market.rest(quantity=150)

    def place(_: NewOrder) -> None:
        assert next(each for each in market.orders if each.broker_id == resting).state != 2

    market.on_place = place
    assert flatten(market)[0]
    assert market.true == {TOKEN: 0}


def test_an_order_that_fills_while_it_is_cancelled_sells_nothing_twice() -> None:
    market = Market({TOKEN: 150})
    resting = market.rest(quantity=75)
    market.on_cancel = lambda order: market.fill(order.broker_id, 75)
    assert flatten(market)[0]
    assert [each.quantity for each in market.placed] == [75]
    assert (market.true, market.least) == ({TOKEN: 0}, {TOKEN: 0})
    assert next(each for each in market.orders if each.broker_id == resting).filled == 75


def test_nothing_is_sold_while_an_order_cannot_be_cancelled() -> None:
    market = Market({TOKEN: 150})
    market.rest()

    def refuse(_: OpenOrder) -> None:
        raise LostError

    market.on_cancel = refuse
    flat, took_s = flatten(market, times=TIMES._replace(give_up_s=60.0))
    assert not flat
    assert market.placed == []
    assert 60 <= took_s < 65
    assert market.told[-1] == "given up after 60 s"


def test_what_does_not_fill_is_cancelled_and_sent_anew_further_away() -> None:
    market = Market({TOKEN: 75})
    market.fills = lambda order: order.quantity if order.limit <= 9_400 else 0
    assert flatten(market)[0]
    assert [each.limit for each in market.placed] == [9_800, 9_600, 9_400]


def test_a_fresh_order_has_time_to_fill() -> None:
    market = Market({TOKEN: 75})
    market.fills = lambda _: 0
    market.on_place = lambda _: fill_later(market)
    assert flatten(market)[0]
    assert len(market.placed) == 1
    assert not any("cancelling" in line for line in market.told)


def test_a_partial_fill_leaves_the_rest_to_be_sold() -> None:
    market = Market({TOKEN: 300})
    market.fills = lambda order: min(75, order.quantity)
    assert flatten(market)[0]
    assert [each.quantity for each in market.placed] == [300, 225, 150, 75]


def test_large_positions_go_in_slices() -> None:
    market = Market({TOKEN: 40 * LOT}, freeze=1800)
    assert flatten(market)[0]
    assert [each.quantity for each in market.placed] == [1800, 1200]


def test_an_order_that_was_never_taken_is_sent_anew_after_the_settle_wait() -> None:
    market = Market({TOKEN: 150})
    times = []

    def place(_: NewOrder) -> None:
        times.append(now_ns() / 1e9)
        if len(times) == 1:
            raise LostError

    market.on_place = place
    assert flatten(market)[0]
    assert times[1] - times[0] > 35
    assert market.true == {TOKEN: 0}


@pytest.mark.parametrize("apply_after_s", [0.0, 3.0, 30.0])
def test_an_order_taken_late_without_an_answer_is_waited_for(apply_after_s: float) -> None:
    market = Market({TOKEN: 150}, apply_after_s=apply_after_s)
    assert flatten(market)[0]
    assert len(market.placed) == 1
    assert (market.true, market.least) == ({TOKEN: 0}, {TOKEN: 0})


def test_positions_that_lag_sell_nothing_twice() -> None:
    market = Market({TOKEN: 150}, lag_s=12.0)
    assert flatten(market)[0]
    assert [each.quantity for each in market.placed] == [150]
    assert market.least == {TOKEN: 0}


@pytest.mark.parametrize("lag_s", [0.5, 20.0])
def test_a_fill_just_before_it_began_is_waited_for(lag_s: float) -> None:
    market = Market({TOKEN: 150}, lag_s=lag_s)

    async def just_before() -> bool:
        market.fill(market.rest(codes.SELL), LOT)
        return await flattening(market, Scope(OURS)).run()

    assert run(just_before())
    assert [each.quantity for each in market.placed] == [75]
    assert (market.true, market.least) == ({TOKEN: 0}, {TOKEN: 0})


def test_what_was_carried_from_another_day_is_sold_after_the_wait() -> None:
    market = Market({TOKEN: 150}, carried=True)
    market.fills = lambda order: min(75, order.quantity)
    flat, took_s = flatten(market)
    assert flat
    assert 35 < took_s < 45
    assert [each.quantity for each in market.placed] == [150, 75]
    assert "its position is +150 from what today's orders make" in market.told[0]


def test_a_late_order_of_the_engine_is_closed_too() -> None:
    market = Market({})

    async def late() -> bool:
        loop = asyncio.get_running_loop()
        tag = order_tag(99, 7, 0)

        def arrive() -> None:
            market.fill(market.rest(codes.BUY, tag=tag), LOT)

        loop.call_later(20, arrive)
        return await flattening(market, Scope(OURS)).run()

    assert run(late())
    assert [(each.side, each.quantity) for each in market.placed] == [(codes.SELL, LOT)]
    assert market.true == {TOKEN: 0}


@pytest.mark.parametrize("where", ["answer", "book"])
def test_refusals_end_it(where: str) -> None:
    market = Market({TOKEN: 150})
    market.fills = lambda _: 0

    def place(_: NewOrder) -> None:
        if where == "answer":
            raise RefusedError("the market is closed")
        loop, broker_id = asyncio.get_running_loop(), f"B{len(market.placed)}"
        loop.call_later(0.5, lambda: market.reject(broker_id, "the market is closed"))

    market.on_place = place
    flat, took_s = flatten(market)
    assert not flat
    assert took_s < TIMES.settle_s
    assert len(market.placed) == 5
    assert sum("the market is closed" in line for line in market.told) == 5
    assert market.told[-1] == f"{SYMBOL}: refused 5 times: close it in the broker's own application"


def test_books_that_cannot_be_had_are_asked_for_again() -> None:
    market = Market({TOKEN: 150})
    looks = iter(range(100))

    def fail() -> None:
        if next(looks) % 2 == 0:
            raise BrokerError("the broker: books failed")

    market.on_books = fail
    assert flatten(market)[0]
    assert market.true == {TOKEN: 0}


def test_what_is_not_asked_for_is_left_alone() -> None:
    market = Market({TOKEN: 75, OTHER: 150}, prices={TOKEN: 10_000, OTHER: 5_000})
    kept = market.rest(token=OTHER)
    ended = market.rest(token=TOKEN)
    assert flatten(market, Scope(OURS, frozenset({TOKEN})))[0]
    assert market.positions == {TOKEN: 0, OTHER: 150}
    states = {each.broker_id: each.state for each in market.orders}
    assert (states[kept], states[ended]) == (2, 6)


def test_another_product_is_left_alone() -> None:
    market = Market({TOKEN: 75}, product="CARRYFORWARD")
    market.rest()
    assert flatten(market)[0]
    assert market.placed == []
    assert market.positions == {TOKEN: 75}


def test_the_scope_says_what_is_touched() -> None:
    market = Market({TOKEN: 75, OTHER: 0, "60001": -75})
    ours = market.rest(token=THIRD, tag=order_tag(1, 1, 0))
    held = market.rest(token=TOKEN)
    foreign = market.rest(token=FOURTH, tag="phone")
    books = run(market.books())
    assert [each.token for each in open_positions(books, Scope(OURS))] == [TOKEN, "60001"]
    assert [each.broker_id for each in working_orders(books, Scope(OURS))] == [ours, held]
    orders, positions = left_alone(books, Scope(OURS))
    assert ([each.broker_id for each in orders], positions) == ([foreign], [])
    only = Scope(OURS, frozenset({FOURTH}))
    assert [each.broker_id for each in working_orders(books, only)] == [foreign]
    assert len(left_alone(books, only)[1]) == 2


def test_the_form_of_our_tags() -> None:
    assert has_our_form(order_tag(2**64 - 1, 1, 1).lower())
    assert not has_our_form("")
    assert not has_our_form("A" * 18)
    assert not has_our_form("A" * 18 + "-")


@pytest.mark.parametrize(
    ("quantity", "freeze", "expected"),
    [(150, 0, [150]), (150, 1800, [150]), (3000, 1800, [1800, 1200]), (3000, 1799, [1725, 1275]), (150, 10, [75, 75])],
)
def test_slices(quantity: int, freeze: int, expected: list[int]) -> None:
    assert list(slices(quantity, LOT, freeze)) == expected


@pytest.mark.parametrize("seed", range(40))
def test_whatever_fails_no_position_grows_or_turns(seed: int) -> None:
    rng = Random(seed)
    held = rng.choice([75, 750, 3000])
    market = Market({TOKEN: held}, lag_s=rng.choice([0.0, 0.5, 5.0]), apply_after_s=rng.choice([0.0, 0.3, 25.0]))
    market.fills = lambda order: rng.choice([0, min(75, order.quantity), order.quantity])
    market.rest(quantity=75)

    def sometimes(*_: object) -> None:
        if rng.random() < 0.3:
            raise LostError

    def cancelling(order: OpenOrder) -> None:
        if rng.random() < 0.3:
            market.fill(order.broker_id, rng.choice([0, order.quantity - order.filled]))
        sometimes()

    market.on_place, market.on_cancel = sometimes, cancelling
    flat, _ = flatten(market, times=TIMES._replace(give_up_s=3000.0))
    assert flat
    assert market.true == {TOKEN: 0}
    assert (market.least[TOKEN], market.most[TOKEN]) == (0, held)
