"""Orders that left, and of which the journal knows nothing: a machine lost its power before they were on its disk."""

import pytest

from myquant.brokers.port import OpenOrder
from myquant.core import codes, orders
from myquant.core.codes import BUY, SELL
from myquant.session.lost_orders import Lost
from myquant.session.reconciliation import Finding, Kind, Ours, Settings
from session.broker_books import KEY, PRODUCT, SECOND_NS, TOKENS, books, command, in_book
from session.test_reconciliation import Day, ours
from session.test_reconciling import Room

LAST_ID = 4  # that the journal has
STOP = in_book(6, SELL, 75, price=9_000, trigger=9_050)


def of_lost(*rows: OpenOrder) -> Day:
    """Return a day that begins with such orders in the books."""
    lost = Lost.found(books(0, *rows), LAST_ID, KEY)
    return Day(settings=Settings(KEY, PRODUCT, 35 * SECOND_NS, 0, lost))


def of_kind(found: list[Finding], kind: Kind) -> list[Finding]:
    return [each for each in found if each.kind == kind]


def test_orders_above_the_last_id_of_the_journal_are_lost() -> None:
    rows = [in_book(4, BUY, 75), in_book(5, BUY, 75), STOP, in_book(9, BUY, 75, tag="phone")]
    lost = Lost.found(books(0, *rows), LAST_ID, KEY)
    assert lost.ids == {5, 6}
    assert [lost.has(row) for row in rows] == [False, True, True, False]
    assert lost.selling(books(0, *rows)) == {TOKENS[0]}
    assert not Lost().has(STOP)


def test_a_lost_sell_whose_state_can_not_be_read_may_work() -> None:
    lost = Lost.found(books(0, STOP), LAST_ID, KEY)
    assert lost.selling(books(0, STOP._replace(state=orders.UNKNOWN))) == {TOKENS[0]}
    assert not lost.selling(books(0, STOP._replace(state=orders.CANCELLED)))


def test_what_an_entry_bought_and_a_lost_order_sold_is_not_sold_again() -> None:
    entry, sale = in_book(4, BUY, 75, 75), in_book(5, SELL, 75, 75, price=9_000, trigger=9_050)
    room = Room(books(0, entry, sale, held={}))
    room.records.desk["account"]["orders"] = LAST_ID
    room.records.set_order(0, "order", id=4, state=orders.SENT, side=BUY, quantity=75, price=10_000)

    def settle(_: object) -> None:
        """Do what the engine does when it hears of the fill: it sends a stop order."""
        if room.records.instruments[0]["core"]["order"]["state"] == orders.SENT:
            room.records.set_order(0, "order", state=orders.FILLED, filled=75)
            room.records.hold(0, 75)
            room.orders.submit(command(codes.SUBMIT, 6, side=SELL, quantity=75, price=9_050, stop=9_050))

    room.port.on_settle = settle
    room.run(1)
    assert [sent for sent in room.port.sent if sent[0] == "submit"] == []


def test_a_second_restart_knows_a_lost_sell_as_the_first_did() -> None:
    look = books(0, in_book(LAST_ID, BUY, 75, 75), STOP, held={TOKENS[0]: 75})
    last_id, kept = LAST_ID, None
    for _ in range(2):
        room = Room(look)
        room.kept = kept or room.kept
        room.records.desk["account"]["orders"] = last_id
        room.records.hold(0, 75)
        room.run(0.5)
        assert room.orders._held_back == frozenset({0})
        last_id = max((event.order_id for event in room.events if event.kind == codes.FUNDS), default=last_id)
        kept = room.kept
    assert last_id == 6


def test_a_lost_entry_is_cancelled_at_the_first_look_and_its_fills_are_named() -> None:
    entry = in_book(5, BUY, 150, 75)
    day = of_lost(entry)
    found = day.look(books(0, entry, held={TOKENS[0]: 75}), ours())
    assert [each.order for each in of_kind(found, Kind.ORPHAN)] == [entry]
    assert [(each.order_id, each.quantity) for each in of_kind(found, Kind.LOST_ORDER)] == [(5, 75)]
    assert "for you to close" in of_kind(found, Kind.LOST_ORDER)[0].words
    assert not of_kind(day.look(books(2, entry, held={TOKENS[0]: 75}), ours()), Kind.LOST_ORDER), "once for an amount"
    more = in_book(5, BUY, 150, 150)
    found = day.look(books(4, more, held={TOKENS[0]: 150}), ours())
    assert [(each.order_id, each.quantity) for each in of_kind(found, Kind.LOST_ORDER)] == [(5, 150)]


def test_the_stop_order_of_a_lost_entry_that_is_not_taken_over_is_left_as_it_is() -> None:
    rows = in_book(5, BUY, 150, 75), STOP  # it may still buy
    day = of_lost(*rows)
    for at_s in (0, 2, 4):
        found = of_kind(day.look(books(at_s, *rows, held={TOKENS[0]: 75}), ours()), Kind.ORPHAN)[1:]
        assert [(each.order, each.order_id, each.is_new) for each in found] == [(None, 6, not at_s)]
        assert "it protects" in found[0].words


def test_what_a_lost_entry_bought_is_taken_over_at_the_second_look_and_its_stop_order_goes() -> None:
    rows = in_book(5, BUY, 150, 100, price=9_900, state=orders.CANCELLED), in_book(6, SELL, 100, 25, trigger=9_050)
    day, at = of_lost(*rows), {TOKENS[0]: 75}
    assert not of_kind(day.look(books(0, *rows, held=at), ours()), Kind.LOST_ENTRY)
    found = day.look(books(2, *rows, held=at), ours())
    (taken,) = of_kind(found, Kind.LOST_ENTRY)
    assert (taken.instrument, taken.order_id, taken.quantity, taken.value) == (0, 5, 75, 75 * 9_900)
    assert [each.order for each in of_kind(found, Kind.ORPHAN)] == [None]  # left: it protects till the engine has them
    later = day.look(books(4, *rows, held=at), ours(75))
    assert [each.order for each in of_kind(later, Kind.ORPHAN)] == [rows[1]]
    assert not of_kind(later, Kind.POSITION_DIFFERS)
    sold = rows[0], in_book(6, SELL, 100, 100, trigger=9_050)
    assert not [found for at_s in (6, 50) for found in of_kind(day.look(books(at_s, *sold), ours()), Kind.LOST_ENTRY)]


def test_a_lost_entry_of_which_a_slice_may_still_buy_is_not_taken_over_yet() -> None:
    rows = in_book(5, BUY, 75, 75), in_book(5, BUY, 75, 0, part=1)
    day, at = of_lost(*rows), {TOKENS[0]: 75}
    looks = [day.look(books(at_s, *rows, held=at), ours()) for at_s in (0, 2)]
    assert not [found for look in looks for found in of_kind(look, Kind.LOST_ENTRY)]
    whole = rows[0], in_book(5, BUY, 75, 75, part=1)
    looks = [day.look(books(at_s, *whole, held={TOKENS[0]: 150}), ours()) for at_s in (4, 6)]
    assert [found.quantity for look in looks for found in of_kind(look, Kind.LOST_ENTRY)] == [150]


@pytest.mark.parametrize(
    ("entry", "held", "have"),
    [
        (in_book(5, BUY, 150, 75), 75, 0),  # it may still buy
        (in_book(5, BUY, 75, 75), 50, 0),  # somebody else has sold of it
        (in_book(5, BUY, 75, 75), 150, 75),  # beside a position
    ],
)
def test_a_lost_entry_that_does_not_explain_all_is_left_to_a_person(entry: OpenOrder, held: int, have: int) -> None:
    day = of_lost(entry)
    for at_s in (0, 2, 4, 60):
        found = day.look(books(at_s, entry, held={TOKENS[0]: held}), ours(have))
        assert not of_kind(found, Kind.LOST_ENTRY)


@pytest.mark.parametrize("is_taken", [True, False])
def test_the_engine_hears_of_what_a_lost_entry_bought(is_taken: bool) -> None:
    room = Room(books(0, in_book(5, BUY, 75, 75), held={TOKENS[0]: 75}))
    room.records.desk["account"]["orders"] = LAST_ID
    room.takes_over = is_taken
    room.run(10)
    fills = [event for event in room.events if event.kind == codes.FILL]
    assert [(each.instrument, each.order_id, each.quantity, each.value, each.code) for each in fills] == [
        (0, 5, 75, 75 * 10_000, codes.OF_LOST_ORDER)
    ]
    assert bool([line for kind, line, _ in room.log.lines if "close it by hand" in line]) != is_taken


def test_a_lost_stop_order_of_what_is_held_is_cancelled_at_the_first_look() -> None:
    day = of_lost(STOP)
    entry = in_book(4, BUY, 75, 75)
    found = day.look(books(0, entry, STOP, held={TOKENS[0]: 75}), ours(75))
    assert [each.order for each in of_kind(found, Kind.ORPHAN)] == [STOP]


@pytest.mark.parametrize("ended", [True, False])
def test_what_a_lost_order_sold_is_taken_out_at_the_second_look(ended: bool) -> None:
    entry, sale = in_book(4, BUY, 75, 75), in_book(5, SELL, 75, 75 if ended else 35, price=10_500)
    gone = sale.filled
    day = of_lost(sale)
    at = {TOKENS[0]: 75 - gone}
    assert not of_kind(day.look(books(0, entry, sale, held=at), ours(75)), Kind.FOREIGN_SALE)
    assert day.unconfirmed
    found = of_kind(day.look(books(2, entry, sale, held=at), ours(75)), Kind.FOREIGN_SALE)
    assert [(each.quantity, each.value) for each in found] == [(gone, gone * 10_500)]
    assert "the journal has lost" in found[0].words
    day.look(books(4, entry, sale, held=at), ours(75 - gone))
    for at_s in (6, 8):  # something else, which the lost order does not explain
        assert not of_kind(day.look(books(at_s, entry, sale), ours(75)), Kind.FOREIGN_SALE)


def test_ids_that_the_journal_lost_are_taken_before_the_engine_hears_of_its_orders() -> None:
    room = Room(books(0, in_book(LAST_ID, BUY, 75, 75), STOP, held={TOKENS[0]: 75}))
    room.records.desk["account"]["orders"] = LAST_ID
    room.records.hold(0, 75)
    then: list[int] = []
    room.port.on_settle = lambda _: then.append(max(event.order_id for event in room.events))
    room.run(1)
    assert then == [6]
    assert [line for _, line, _ in room.log.lines if "lost" in line] == [
        "the journal has lost orders that the broker has"
    ]


def test_no_sell_leaves_beside_a_lost_one_and_the_next_look_comes_soon() -> None:
    entry, gone = in_book(LAST_ID, BUY, 75, 75), STOP._replace(state=orders.CANCELLED)
    looks = [books(0, entry, STOP, held={TOKENS[0]: 75})] * 2 + [books(0, entry, gone, held={TOKENS[0]: 75})]
    room = Room(*looks)
    room.records.desk["account"]["orders"] = LAST_ID
    room.records.hold(0, 75)
    held_back: list[frozenset[int] | None] = []
    room.port.on_settle = lambda _: held_back.append(room.orders._held_back)
    room.run(10)
    assert room.looked_s == pytest.approx([0, 2, 4])
    assert held_back == [{0}, {0}, frozenset()]
    assert room.port.sent == [("cancel_orphan", "B6.0")] * 2


def test_what_a_lost_order_filled_halts() -> None:
    room = Room(books(0, in_book(5, BUY, 75, 75), held={TOKENS[0]: 75}))
    room.run(1)
    assert ("alarm", codes.BY_BOOKS) in room.told()
    line = next(fields for kind, line, fields in room.log.lines if kind == "error" and line == Kind.LOST_ORDER)
    assert (line["order_id"], line["broker_id"], line["quantity"]) == (5, "B5.0", 75)


def test_a_view_without_orders_has_none_lost() -> None:
    assert not Lost.found(books(0), 0, KEY).ids
    assert isinstance(ours()[0], Ours)
