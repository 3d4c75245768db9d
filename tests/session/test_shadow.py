"""The shadow: the same orders at a simulated exchange, and how its fills compare."""

from collections import deque
from collections.abc import Callable

import pytest

from myquant.core import codes
from myquant.core.records import Command, Event
from myquant.exchange.venue import Venue
from myquant.exchange.venue_orders import LIMIT, Contract, VenueRules
from myquant.session import shadow
from myquant.session.shadow import ENTRY, EXIT, STOP, Comparison, Shadow, nearest_rank
from session.broker_books import command

MS = 10**6
SECOND = 10**9
LATENCY = 50 * MS
RULES = VenueRules(LIMIT, LATENCY, 0, 2_000_000, 10, 10_000_000, 0)


class AtVenue:
    """The simulated exchange behind a port, as the sessions have it, with the contract at hand."""

    def __init__(self) -> None:
        self.venue = Venue(1, RULES, 1)
        self.venue.prepare(0, Contract(75, 5, 1800, 0, 0))

    def submit(self, told: Command) -> None:
        self.venue.submit(0, told.order_id, told.side, told.quantity, told.price, told.stop, told.time_ns)

    def modify(self, told: Command) -> None:
        self.venue.modify(told.order_id, told.price, told.stop, told.time_ns)

    def cancel(self, told: Command) -> None:
        self.venue.cancel(told.order_id, told.time_ns)

    def see(self, event: Event) -> None:
        self.venue.see(event)

    def answer(self) -> Event | None:
        return self.venue.answer()


def tick(time_ns: int, bid: int, ask: int, volume: int = 100_000) -> tuple[int, ...]:
    return (codes.TICK, 0, 0, time_ns, 0, (bid + ask) // 2, volume, bid, ask, 0, 0, 0, 0, *[0] * 8)


def real(kind: int, order_id: int, time_ns: int, filled: int = 0, price: int = 0, code: int = 0) -> Event:
    return Event(kind, 0, 0, time_ns, 0, 0, 0, 0, 0, order_id, filled, filled * price, code)


def submit(
    order_id: int, side: int, quantity: int = 75, *, price: int = 10_000, stop: int = 0, time_ns: int = 0
) -> Command:
    reason = codes.NO_EXIT if side == codes.BUY else codes.STOP_LOSS
    return command(
        codes.SUBMIT,
        order_id,
        side=side,
        quantity=quantity,
        price=price,
        stop=stop,
        time_ns=time_ns,
        reason=reason,
    )


def test_an_entry_that_the_real_exchange_filled_at_a_worse_price() -> None:
    beside = Shadow(AtVenue())
    beside.order(submit(1, codes.BUY))
    beside.see(tick(100 * MS, 9_990, 10_000))
    beside.hear(real(codes.ORDER_ACK, 1, 150 * MS))
    beside.hear(real(codes.FILL, 1, 200 * MS, 75, 10_030))
    assert beside.compared == [Comparison(1, 0, ENTRY, 75, 75, 75, 30.0, 200 * MS, 100 * MS)]


def test_a_sale_that_the_real_exchange_filled_at_a_better_price() -> None:
    beside = Shadow(AtVenue())
    beside.order(submit(1, codes.SELL))
    beside.hear(real(codes.FILL, 1, 20 * MS, 75, 10_010))
    beside.see(tick(100 * MS, 9_990, 10_000))
    assert beside.compared == [Comparison(1, 0, EXIT, 75, 75, 75, -20.0, 20 * MS, 100 * MS)]


def test_the_shadow_gets_some_time_more_and_is_then_given_up() -> None:
    beside = Shadow(AtVenue())
    beside.order(submit(1, codes.BUY, 150))
    beside.hear(real(codes.FILL, 1, 20 * MS, 150, 10_000))
    for second in range(1, 9):
        beside.see(tick(second * SECOND, 10_990, 11_000))
    assert beside.compared == [Comparison(1, 0, ENTRY, 150, 150, 0, None, 20 * MS, 0)]
    assert beside.summary().only_real_filled == 1


def test_an_order_that_was_cancelled_is_cancelled_in_the_shadow_too() -> None:
    beside = Shadow(AtVenue())
    beside.order(submit(1, codes.BUY, 150))
    beside.see(tick(100 * MS, 9_990, 10_000, volume=750))
    beside.order(command(codes.CANCEL, 1, time_ns=200 * MS))
    beside.hear(real(codes.CANCELLED, 1, 220 * MS))
    beside.see(tick(300 * MS, 9_990, 10_000))
    assert beside.compared == [Comparison(1, 0, ENTRY, 150, 0, 75, None, 0, 100 * MS)]
    assert beside.summary().only_shadow_filled == 1


def test_a_stop_order_follows_and_is_triggered() -> None:
    beside = Shadow(AtVenue())
    beside.order(submit(1, codes.SELL, price=9_000, stop=9_000))
    beside.see(tick(SECOND, 9_990, 10_000))
    beside.order(command(codes.MODIFY, 1, side=codes.SELL, price=9_800, stop=9_800, time_ns=SECOND))
    for at, bid in ((2, 9_900), (3, 9_790), (4, 9_785), (5, 9_780)):
        beside.see(tick(at * SECOND, bid, bid + 5))
    beside.hear(real(codes.FILL, 1, 6 * SECOND, 75, 9_775))
    (compared,) = beside.compared
    assert (compared.role, compared.filled, compared.shadow_filled) == (STOP, 75, 75)
    assert compared.worse_paise is not None
    assert 0 < compared.worse_paise <= 15


def test_refused_orders_are_counted_and_not_compared() -> None:
    beside = Shadow(AtVenue())
    for order_id, code in ((1, codes.NOT_SENT), (2, codes.BY_VENUE)):
        beside.order(submit(order_id, codes.BUY, time_ns=order_id * SECOND))
        beside.hear(real(codes.ORDER_REJECT, order_id, order_id * SECOND + MS, code=code))
        beside.see(tick(order_id * SECOND + 500 * MS, 9_990, 10_000))
    summary = beside.summary()
    assert (summary.orders, summary.refused, summary.under_way) == (0, 2, 0)


def test_orders_of_an_earlier_process_are_left_alone() -> None:
    beside = Shadow(AtVenue())
    beside.order(command(codes.CANCEL, 8))
    beside.order(command(codes.MODIFY, 8, price=1))
    beside.hear(real(codes.FILL, 8, 1, 75, 100))
    assert beside.summary().failed == 0


class Refusing(AtVenue):
    def submit(self, *_: object) -> None:
        raise OverflowError("too many orders")


def test_what_the_simulated_exchange_does_not_take_is_counted() -> None:
    beside = Shadow(Refusing())
    beside.order(submit(1, codes.BUY))
    beside.hear(real(codes.FILL, 1, MS, 75, 10_000))
    summary = beside.summary()
    assert (summary.failed, summary.orders, summary.under_way) == (1, 0, 0)


Step = Callable[[Shadow], None]
STEPS: list[Step] = [
    lambda to: to.order(submit(1, codes.BUY, 150)),
    lambda to: to.see(tick(60 * MS, 9_990, 10_000, volume=750)),
    lambda to: to.hear(real(codes.FILL, 1, 80 * MS, 75, 10_005)),
    lambda to: to.see(tick(90 * MS, 9_995, 10_005, volume=750)),
    lambda to: to.order(submit(2, codes.SELL, 75, price=9_000, stop=9_000, time_ns=90 * MS)),
    lambda to: to.hear(real(codes.FILL, 1, 100 * MS, 150, 10_005)),
    *[lambda to, at=at: to.see(tick(at * SECOND, 9_500 - 50 * at, 9_505 - 50 * at)) for at in range(1, 14)],
    lambda to: to.hear(real(codes.FILL, 2, 14 * SECOND, 75, 8_900)),
]


@pytest.mark.parametrize("at_a_time", [1, 3, 16])
@pytest.mark.parametrize("queue_max", [2, 4096])
def test_law_work_that_is_put_off_comes_to_the_same(
    monkeypatch: pytest.MonkeyPatch, at_a_time: int, queue_max: int
) -> None:
    prompt, slow = Shadow(AtVenue()), Shadow(AtVenue())
    for step in STEPS:
        step(prompt)
    monkeypatch.setattr(shadow, "AT_A_TIME", at_a_time)
    monkeypatch.setattr(shadow, "QUEUE_MAX", queue_max)
    waiting: deque[Callable[[], None]] = deque()
    slow.later = waiting.append
    for step in STEPS:
        step(slow)
    assert len(waiting) == 1
    assert slow.compared == [] or queue_max == 2
    while waiting:
        waiting.popleft()()
    assert [each.order_id for each in slow.compared] == [1, 2]
    assert slow.summary() == prompt.summary()


def test_a_summary_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "COMPARED_MAX", 3)
    beside = Shadow(AtVenue())
    for number in range(1, 5):
        at = number * SECOND
        beside.order(submit(number, codes.BUY, time_ns=at))
        beside.see(tick(at + 100 * MS, 9_990, 10_000))
        beside.hear(real(codes.FILL, number, at + 200 * MS, 75, 10_000 + number))
    beside.order(submit(9, codes.BUY, time_ns=10 * SECOND))
    summary = beside.summary()
    assert (summary.orders, summary.both_filled, summary.left_out, summary.under_way) == (4, 3, 1, 1)
    assert (summary.worse_mean_paise, summary.worse_p5_paise, summary.worse_p50_paise, summary.worse_p95_paise) == (
        2.0,
        1.0,
        2.0,
        3.0,
    )
    assert (summary.delay_p50_ms, summary.shadow_delay_p50_ms) == (200.0, 100.0)
    assert summary.as_dict()["worse_p95_paise"] == 3.0


def test_nearest_rank() -> None:
    assert nearest_rank([], 50) is None
    assert [nearest_rank([1.0, 2.0, 3.0, 4.0], percent) for percent in (0, 5, 25, 26, 50, 75, 100)] == [
        1,
        1,
        1,
        2,
        2,
        3,
        4,
    ]
